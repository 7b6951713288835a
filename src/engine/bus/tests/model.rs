//! A server of NATS as its contract allows it to be, and the cables to it: bytes are on their way for as long
//! as chance likes, cables are cut anywhere, the server forgets whatever is not in a stream.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

/// Numbers from a seed, by splitmix64.
#[derive(Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// A message that was published.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) seq: u64,
    pub(super) subject: String,
    pub(super) headers: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) stamp: u64,
}

/// A cable: what is on its way, both ways.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) to_server: VecDeque<u8>,
    pub(super) to_client: VecDeque<u8>,
    /// What the server has of a line or a message that is not whole.
    begun: Vec<u8>,
    subscriptions: Vec<(String, String)>,
    /// The other end is closed; bytes that are on their way still come.
    is_cut: bool,
}

#[derive(Debug)]
struct Consumer {
    next: u64,
    count: u64,
    pulls: VecDeque<Pull>,
}

#[derive(Debug)]
struct Pull {
    reply: String,
    batch: u64,
    bytes: usize,
    until: Instant,
    beat: Duration,
    next_beat: Instant,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Model {
    start: Instant,
    pub(super) now: Instant,
    pub(super) has_streams: bool,
    /// Somebody reads what is asked of streams that are not there.
    pub(super) is_overheard: bool,
    stream: Option<u64>,
    pub(super) log: Vec<Stored>,
    pub(super) last: u64,
    ids: HashMap<String, (u64, Instant)>,
    consumers: BTreeMap<String, Consumer>,
    made: u64,
    pub(super) links: BTreeMap<usize, Link>,
    opened: usize,
    pub(super) repeats: usize,
    /// The stream takes nothing more.
    pub(super) is_full: bool,
    /// So many of a cluster.
    pub(super) servers: usize,
    /// Of which so many can keep a stream together.
    pub(super) most_replicas: u64,
    /// And so many do.
    pub(super) replicas: u64,
    /// The stream takes no message that is longer, if this is not -1.
    pub(super) longest: i64,
}

const WINDOW: Duration = Duration::from_secs(120);

impl Model {
    pub(super) fn new(start: Instant) -> Model {
        Model {
            start,
            now: start,
            has_streams: true,
            is_overheard: false,
            servers: 1,
            most_replicas: 1,
            replicas: 0,
            longest: -1,
            stream: None,
            log: Vec::new(),
            last: 0,
            ids: HashMap::new(),
            consumers: BTreeMap::new(),
            made: 0,
            links: BTreeMap::new(),
            opened: 0,
            repeats: 0,
            is_full: false,
        }
    }

    pub(super) fn stamp(&self) -> u64 {
        1_800_000_000_000_000_000 + (self.now - self.start).as_nanos() as u64
    }

    /// As the server writes it.
    pub(super) fn time(stamp: u64) -> String {
        // 1,800,000,000 is 2027-01-15T08:00:00Z; no test goes on until noon.
        let since = stamp - 1_800_000_000_000_000_000;
        let (seconds, nanos) = (since / 1_000_000_000, since % 1_000_000_000);
        let (hour, minute, second) = (8 + seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("2027-01-15T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }

    pub(super) fn open(&mut self) -> usize {
        self.opened += 1;
        let mut link = Link::default();
        let info = json!({
            "server_id": "MODEL", "headers": true, "max_payload": 1_048_576, "jetstream": self.has_streams,
            "cluster": "model", "connect_urls": vec!["192.0.2.1"; self.servers],
        });
        link.to_client.extend(format!("INFO {info} \r\n").bytes());
        self.links.insert(self.opened, link);
        self.opened
    }

    /// What was sent on it still comes.
    pub(super) fn cut(&mut self, link: usize, chance: &mut Chance) {
        if let Some(link) = self.links.get_mut(&link) {
            link.is_cut = true;
            let keeps = chance.below(link.to_server.len() + 1);
            if chance.one_in(2) {
                link.to_server.truncate(keeps);
            }
        }
    }

    /// The server is killed: only the stream stays.
    pub(super) fn kill(&mut self, chance: &mut Chance) {
        self.links.clear();
        self.consumers.clear();
        if chance.one_in(2) {
            self.ids.clear();
        }
    }

    /// Those that are of no stream.
    pub(super) fn forget_consumers(&mut self) {
        self.consumers.clear();
    }

    /// The stream has only these any more.
    pub(super) fn keep_last(&mut self, count: usize) {
        let old = self.log.len().saturating_sub(count);
        self.log.drain(..old);
    }

    pub(super) fn delete_stream(&mut self) {
        self.stream = None;
        self.consumers.clear();
        self.log.clear();
        self.ids.clear();
        self.last = 0;
    }

    /// Something from another client.
    pub(super) fn publish(&mut self, subject: &str, headers: &[u8], payload: &[u8]) {
        self.published(subject, "", headers, payload);
    }

    /// So much of what is on its way to the server comes there.
    pub(super) fn carry(&mut self, id: usize, count: usize) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let count = count.min(link.to_server.len());
        let came: Vec<u8> = link.to_server.drain(..count).collect();
        link.begun.extend(came);
        while let Some((line, headers, payload)) = self.next_operation(id) {
            self.operate(id, &line, &headers, &payload);
        }
        if let Some(link) = self.links.get(&id)
            && link.is_cut
            && link.to_server.is_empty()
        {
            self.links.remove(&id);
        }
    }

    fn next_operation(&mut self, id: usize) -> Option<(String, Vec<u8>, Vec<u8>)> {
        let begun = &mut self.links.get_mut(&id)?.begun;
        let end = begun.windows(2).position(|two| two == b"\r\n")?;
        let line = String::from_utf8(begun[..end].to_vec()).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let (headers, all): (usize, usize) = match words[0] {
            "PUB" => (0, words.last()?.parse().unwrap()),
            "HPUB" => (
                words[words.len() - 2].parse().unwrap(),
                words.last()?.parse().unwrap(),
            ),
            _ => {
                begun.drain(..end + 2);
                return Some((line, Vec::new(), Vec::new()));
            }
        };
        let body = begun.get(end + 2..end + 2 + all + 2)?.to_vec();
        assert!(body.ends_with(b"\r\n"), "{line}");
        assert!(all <= 160 * 1024, "it is longer than it may be: {line}");
        begun.drain(..end + 4 + all);
        let (headers, payload) = body[..all].split_at(headers);
        Some((line, headers.into(), payload.into()))
    }

    fn operate(&mut self, id: usize, line: &str, headers: &[u8], payload: &[u8]) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["PING"] => self.send(id, b"PONG\r\n"),
            ["PONG"] => {}
            ["SUB", subject, sid] => {
                let link = self.links.get_mut(&id).unwrap();
                link.subscriptions.push((subject.into(), sid.into()));
            }
            ["PUB", subject, _] => self.published(subject, "", headers, payload),
            ["PUB", subject, reply, _] => self.published(subject, reply, headers, payload),
            ["HPUB", subject, _, _] => self.published(subject, "", headers, payload),
            ["HPUB", subject, reply, _, _] => self.published(subject, reply, headers, payload),
            _ if line.starts_with("CONNECT {") => {
                let who: Value = serde_json::from_str(&line[8..]).unwrap();
                assert_eq!(who["headers"], true);
            }
            _ => panic!("no server takes {line:?}"),
        }
    }

    fn send(&mut self, id: usize, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&id)
            && !link.is_cut
        {
            link.to_client.extend(bytes);
        }
    }

    /// To everybody who listens to `to`.
    fn deliver(&mut self, to: &str, subject: &str, reply: &str, headers: &[u8], payload: &[u8]) {
        let mut all = Vec::new();
        for (id, link) in &self.links {
            for (pattern, sid) in &link.subscriptions {
                let prefix = pattern.strip_suffix('>').unwrap();
                if to.starts_with(prefix) {
                    all.push((*id, sid.clone()));
                }
            }
        }
        for (id, sid) in all {
            let blank = if reply.is_empty() { "" } else { " " };
            let (h, n) = (headers.len(), headers.len() + payload.len());
            let line = match h {
                0 => format!("MSG {subject} {sid} {blank}{reply} {n}\r\n"),
                _ => format!("HMSG {subject} {sid} {blank}{reply} {h} {n}\r\n"),
            };
            self.send(id, line.as_bytes());
            self.send(id, &[headers, payload, b"\r\n"].concat());
        }
    }

    fn answer(&mut self, reply: &str, body: &Value) {
        self.deliver(reply, reply, "", b"", body.to_string().as_bytes());
    }

    fn status(&mut self, reply: &str, status: &str) {
        let headers = format!("NATS/1.0 {status}\r\n\r\n");
        self.deliver(reply, reply, "", headers.as_bytes(), b"");
    }

    fn published(&mut self, subject: &str, reply: &str, headers: &[u8], payload: &[u8]) {
        if let Some(rest) = subject.strip_prefix("$JS.API.") {
            match self.has_streams {
                true => self.asked(rest, reply, payload),
                false if self.is_overheard => {}
                false => self.status(reply, "503"),
            }
            return;
        }
        self.deliver(subject, subject, reply, headers, payload);
        if self.stream.is_none() {
            if !reply.is_empty() {
                self.status(reply, "503");
            }
            return;
        }
        let text = String::from_utf8_lossy(headers);
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("Nats-Msg-Id: "));
        let now = self.now;
        self.ids.retain(|_, (_, at)| now < *at + WINDOW);
        if let Some(id) = id
            && let Some((seq, _)) = self.ids.get(id)
        {
            let body = json!({"stream": "MUXNC_c", "seq": seq, "duplicate": true});
            self.repeats += 1;
            self.answer(reply, &body);
            return;
        }
        if self.is_full {
            let error =
                json!({"code": 503, "err_code": 10_077, "description": "maximum bytes exceeded"});
            self.answer(reply, &json!({"stream": "MUXNC_c", "error": error}));
            return;
        }
        self.last += 1;
        if let Some(id) = id {
            self.ids.insert(id.into(), (self.last, now));
        }
        self.log.push(Stored {
            seq: self.last,
            subject: subject.into(),
            headers: headers.into(),
            payload: payload.into(),
            stamp: self.stamp(),
        });
        if !reply.is_empty() {
            self.answer(reply, &json!({"stream": "MUXNC_c", "seq": self.last}));
        }
        self.serve();
    }

    fn asked(&mut self, what: &str, reply: &str, body: &[u8]) {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let none =
            json!({"error": {"code": 404, "err_code": 10_059, "description": "stream not found"}});
        match (what, self.stream) {
            ("STREAM.INFO.MUXNC_c", Some(created)) => {
                let first = self.log.first().map_or(self.last + 1, |stored| stored.seq);
                let body = json!({
                    "config": {"subjects": ["muxnc.c.>"], "retention": "limits", "max_msg_size": self.longest},
                    "created": created.to_string(),
                    "state": {"first_seq": first, "last_seq": self.last},
                });
                self.answer(reply, &body);
            }
            ("STREAM.CREATE.MUXNC_c", None)
                if body["num_replicas"].as_u64() > Some(self.most_replicas) =>
            {
                self.answer(reply, &json!({"error": {"code": 400, "err_code": 10_005}}));
            }
            ("STREAM.CREATE.MUXNC_c", None) => {
                assert_eq!(body["subjects"][0], "muxnc.c.>");
                self.replicas = body["num_replicas"].as_u64().unwrap();
                self.stream = Some(self.stamp());
                self.answer(reply, &json!({"did_create": true}));
            }
            ("STREAM.CREATE.MUXNC_c", Some(_)) => self.answer(reply, &json!({})),
            ("STREAM.MSG.GET.MUXNC_c", Some(_)) => {
                assert!(
                    self.last > 0,
                    "a server may break down while it makes the stream"
                );
                let subject = body["last_by_subj"].as_str().unwrap();
                let found = self.log.iter().rfind(|stored| stored.subject == subject);
                let body = match found {
                    None => json!({"error": {"code": 404, "err_code": 10_037}}),
                    Some(stored) => {
                        use base64::Engine as _;
                        let code = base64::engine::general_purpose::STANDARD;
                        json!({"message": {
                            "hdrs": code.encode(&stored.headers), "data": code.encode(&stored.payload),
                            "time": Model::time(stored.stamp),
                        }})
                    }
                };
                self.answer(reply, &body);
            }
            ("CONSUMER.CREATE.MUXNC_c", Some(_)) => {
                let next = body["config"]["opt_start_seq"].as_u64().unwrap();
                assert!(next <= self.last + 1, "it begins behind the end");
                self.made += 1;
                let name = format!("consumer{}", self.made);
                let pending = self.log.iter().filter(|stored| stored.seq >= next).count();
                let consumer = Consumer {
                    next,
                    count: 0,
                    pulls: VecDeque::new(),
                };
                self.consumers.insert(name.clone(), consumer);
                self.answer(reply, &json!({"name": name, "num_pending": pending}));
            }
            (what, Some(_)) if what.starts_with("CONSUMER.MSG.NEXT.MUXNC_c.") => {
                let name = what.rsplit('.').next().unwrap();
                let nanos = |value: &Value| Duration::from_nanos(value.as_u64().unwrap());
                let now = self.now;
                // One that is not there is not told of.
                if let Some(consumer) = self.consumers.get_mut(name) {
                    let beat = nanos(&body["idle_heartbeat"]);
                    assert!(consumer.pulls.is_empty(), "two requests at a time");
                    consumer.pulls.push_back(Pull {
                        reply: reply.into(),
                        batch: body["batch"].as_u64().unwrap(),
                        bytes: body["max_bytes"].as_u64().unwrap() as usize,
                        until: now + nanos(&body["expires"]),
                        beat,
                        next_beat: now + beat,
                    });
                    self.serve();
                }
            }
            (_, None) => self.answer(reply, &none),
            _ => panic!("asked for {what}"),
        }
    }

    /// Gives what was asked for and is there, and says that the rest still stands, or does no more.
    pub(super) fn serve(&mut self) {
        let (now, names) = (self.now, self.consumers.keys().cloned().collect::<Vec<_>>());
        for name in names {
            while let Some(consumer) = self.consumers.get_mut(&name) {
                let Some(pull) = consumer.pulls.front_mut() else {
                    break;
                };
                let reply = pull.reply.clone();
                let at = self
                    .log
                    .partition_point(|stored| stored.seq < consumer.next);
                let Some(stored) = self.log.get(at).cloned() else {
                    if now >= pull.until {
                        consumer.pulls.pop_front();
                        self.status(&reply, "408 Request Timeout");
                    } else if now >= pull.next_beat {
                        pull.next_beat = now + pull.beat;
                        self.status(&reply, "100 Idle Heartbeat");
                    }
                    break;
                };
                let len = stored.headers.len() + stored.payload.len() + stored.subject.len() + 64;
                if pull.bytes < len {
                    consumer.pulls.pop_front();
                    self.status(&reply, "409 Message Size Exceeds MaxBytes");
                    continue;
                }
                pull.bytes -= len;
                pull.batch -= 1;
                if pull.batch == 0 {
                    consumer.pulls.pop_front();
                }
                consumer.next = stored.seq + 1;
                consumer.count += 1;
                let (count, pending) = (consumer.count, self.log.len() - at - 1);
                let place = format!(
                    "$JS.ACK.MUXNC_c.{name}.1.{}.{count}.{}.{pending}",
                    stored.seq, stored.stamp
                );
                self.deliver(
                    &reply,
                    &stored.subject,
                    &place,
                    &stored.headers,
                    &stored.payload,
                );
            }
        }
    }
}
