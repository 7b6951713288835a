//! How a proxy wants to be logged in to, and the answer: Basic (RFC 7617) and Digest (RFC 7616,
//! and RFC 2617 and 2069 before it).

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Digest;
use md5::Md5;
use sha2::Sha256;
use sha2::Sha512_256;

use crate::engine::proxy::Login;

/// One way to log in that we know.
#[derive(Debug)]
pub(super) enum Challenge {
    /// The password as it is.
    Basic,
    /// Proof that we know it.
    Digest(Box<Nonce>),
}

/// What a Digest answers to.
#[derive(Debug, Default)]
pub(super) struct Nonce {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As it was spelled, if it was.
    algorithm_name: Option<String>,
    /// The hash is also made from the nonce.
    session: bool,
    /// `qop=auth`, which makes the answer good for one request only.
    counted: bool,
    stale: bool,
    /// Answers given.
    count: u32,
}

#[derive(Debug, Default, Clone, Copy)]
enum Algorithm {
    #[default]
    Md5,
    Sha256,
    Sha512,
}

impl Challenge {
    /// Of all that are offered: the first Digest that we know, else Basic.
    pub(super) fn choose<'a>(fields: impl Iterator<Item = Cow<'a, str>>) -> Option<Challenge> {
        let mut basic = None;
        for field in fields {
            for (scheme, params) in challenges(&field) {
                if scheme.eq_ignore_ascii_case("digest") {
                    if let Some(nonce) = Nonce::new(&params) {
                        return Some(Challenge::Digest(Box::new(nonce)));
                    }
                } else if scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Challenge::Basic);
                }
            }
        }
        basic
    }

    /// Whether a login is wanted again for no other reason than that too much time has passed.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Challenge::Digest(nonce) if nonce.stale)
    }

    /// The value of the field with which to log in for this request.
    pub(super) fn answer(
        &mut self,
        login: &Login,
        method: &str,
        uri: &str,
        chance: &str,
    ) -> String {
        match self {
            Challenge::Basic => {
                let pair = format!("{}:{}", login.user, login.password);
                format!("Basic {}", STANDARD.encode(pair))
            }
            Challenge::Digest(nonce) => nonce.answer(login, method, uri, chance),
        }
    }
}

impl Nonce {
    /// None if we do not know how to answer.
    fn new(params: &[(&str, String)]) -> Option<Nonce> {
        let mut found = Nonce::default();
        let mut has_nonce = false;
        for (name, value) in params {
            match name.to_ascii_lowercase().as_str() {
                "realm" => found.realm.clone_from(value),
                "nonce" => {
                    has_nonce = true;
                    found.nonce.clone_from(value);
                }
                "opaque" => found.opaque = Some(value.clone()),
                "stale" => found.stale = value.eq_ignore_ascii_case("true"),
                "algorithm" => {
                    let name = value.to_ascii_lowercase();
                    let plain = name.strip_suffix("-sess");
                    found.session = plain.is_some();
                    found.algorithm = match plain.unwrap_or(&name) {
                        "md5" => Algorithm::Md5,
                        "sha-256" => Algorithm::Sha256,
                        "sha-512-256" => Algorithm::Sha512,
                        _ => return None,
                    };
                    found.algorithm_name = Some(value.clone());
                }
                "qop" => {
                    let mut known = value.split(',').map(str::trim);
                    if !known.any(|qop| qop.eq_ignore_ascii_case("auth")) {
                        return None;
                    }
                    found.counted = true;
                }
                _ => {}
            }
        }
        has_nonce.then_some(found)
    }

    fn answer(&mut self, login: &Login, method: &str, uri: &str, chance: &str) -> String {
        self.count += 1;
        let count = format!("{:08x}", self.count);
        let response = self.response(login, method, uri, &count, chance);
        let mut answer = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(&login.user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(uri),
        );
        let mut add = |name: &str, value: &str| {
            let _ = write!(answer, ", {name}={value}");
        };
        if let Some(name) = &self.algorithm_name {
            add("algorithm", name);
        }
        if let Some(opaque) = &self.opaque {
            add("opaque", &quoted(opaque));
        }
        if self.counted {
            add("qop", "auth");
            add("nc", &count);
        }
        if self.counted || self.session {
            add("cnonce", &quoted(chance));
        }
        answer
    }

    /// RFC 7616, section 3.4.1.
    fn response(
        &self,
        login: &Login,
        method: &str,
        uri: &str,
        count: &str,
        chance: &str,
    ) -> String {
        let hash = |text: &str| self.algorithm.hash(text);
        let nonce = &self.nonce;
        let mut a1 = hash(&format!("{}:{}:{}", login.user, self.realm, login.password));
        if self.session {
            a1 = hash(&format!("{a1}:{nonce}:{chance}"));
        }
        let a2 = hash(&format!("{method}:{uri}"));
        match self.counted {
            true => hash(&format!("{a1}:{nonce}:{count}:{chance}:auth:{a2}")),
            false => hash(&format!("{a1}:{nonce}:{a2}")),
        }
    }
}

impl Algorithm {
    /// The hash of `text`, in hexadecimal.
    fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Md5 => hex(&Md5::digest(text)),
            Algorithm::Sha256 => hex(&Sha256::digest(text)),
            Algorithm::Sha512 => hex(&Sha512_256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In quotation marks (RFC 9110, section 5.6.4). What cannot be in a field at all is left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()) {
        if c == '"' || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// The challenges of a field's value, each a scheme with its parameters (RFC 9110, section 11.6.1).
fn challenges(field: &str) -> Vec<(&str, Vec<(&str, String)>)> {
    let mut found: Vec<(&str, Vec<(&str, String)>)> = Vec::new();
    let mut rest = field;
    // Behind a scheme may stand one word that is no parameter.
    let mut after_scheme = false;
    loop {
        let start = rest.trim_start_matches([' ', '\t', ',']);
        let separated = rest[..rest.len() - start.len()].contains(',');
        let end = start
            .find([' ', '\t', ',', '=', '"'])
            .unwrap_or(start.len());
        let (word, behind) = start.split_at(end);
        if let Some(value) = behind.trim_start_matches([' ', '\t']).strip_prefix('=') {
            let (value, behind) = parameter(value.trim_start_matches([' ', '\t']));
            if let Some((_, params)) = found.last_mut() {
                params.push((word, value));
            }
            after_scheme = false;
            rest = behind;
        } else if word.is_empty() {
            // The end, or a quotation mark where none belongs: what follows cannot be understood.
            return found;
        } else {
            if !after_scheme || separated {
                found.push((word, Vec::new()));
                after_scheme = true;
            }
            rest = behind;
        }
    }
}

/// A parameter's value, in quotation marks or not, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.into(), rest);
    };
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &inner[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(fields: &[&str]) -> Option<Challenge> {
        Challenge::choose(fields.iter().map(|field| Cow::from(*field)))
    }

    fn login(user: &str, password: &str) -> Login {
        Login {
            user: user.into(),
            password: password.into(),
        }
    }

    #[test]
    fn lists_of_challenges_are_understood() {
        let found = challenges(
            "Negotiate abc==, Basic realm=\"a, \\\"b\\\" c\" , \
             digest nonce = x,qop=\"auth,auth-int\",, NTLM",
        );
        let names: Vec<&str> = found.iter().map(|(scheme, _)| *scheme).collect();
        assert_eq!(names, ["Negotiate", "Basic", "digest", "NTLM"]);
        assert_eq!(found[1].1, [("realm", String::from("a, \"b\" c"))]);
        assert_eq!(found[2].1[0], ("nonce", String::from("x")));
        assert_eq!(found[2].1[1], ("qop", String::from("auth,auth-int")));
        // A word behind a scheme is not a scheme.
        assert!(choose(&["Negotiate Basic"]).is_none());
        for odd in [
            "",
            ",,",
            "\"",
            "= =",
            "a=\"",
            "Digest a=\"b\\",
            "\u{fffd}",
            "Basic \"x\"",
        ] {
            challenges(odd);
        }
    }

    #[test]
    fn digest_goes_before_basic() {
        let digest = "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-256, qop=\"auth\"";
        for fields in [
            &["Basic realm=\"x\"", digest][..],
            &[digest, "Basic realm=\"x\""],
            &[&format!("Basic realm=\"x\", {digest}")],
        ] {
            assert!(
                matches!(choose(fields), Some(Challenge::Digest(_))),
                "{fields:?}"
            );
        }
        let unknown = digest.replace("SHA-256", "SHA-3");
        let basic = choose(&[&unknown, "Basic realm=\"x\""]);
        assert!(matches!(basic, Some(Challenge::Basic)));
    }

    /// The example of RFC 7617, section 2.
    #[test]
    fn basic_is_as_in_its_rfc() {
        let answer = Challenge::Basic.answer(&login("Aladdin", "open sesame"), "", "", "");
        assert_eq!(answer, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    /// The examples of RFC 7616, section 3.9.1, and of RFC 2617, section 3.5.
    #[test]
    fn digests_are_as_in_their_rfcs() {
        let new = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                   nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                   opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let new_chance = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let old = "realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
                   nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
                   opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        for (challenge, password, chance, response) in [
            (
                format!("Digest {new}, algorithm=MD5"),
                "Circle of Life",
                new_chance,
                "8ca523f5e9506fed4657c9700eebdbec",
            ),
            (
                format!("Digest {new}, algorithm=SHA-256"),
                "Circle of Life",
                new_chance,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
            (
                format!("Digest {old}"),
                "Circle Of Life",
                "0a4f113b",
                "6629fae49393a05397450978507c4ef1",
            ),
        ] {
            let mut challenge = choose(&[&challenge]).unwrap();
            let login = login("Mufasa", password);
            let answer = challenge.answer(&login, "GET", "/dir/index.html", chance);
            assert!(
                answer.contains(&format!("response=\"{response}\"")),
                "{answer}"
            );
            assert!(answer.contains("qop=auth, nc=00000001"), "{answer}");
        }
    }

    #[test]
    fn what_is_quoted_stays_one_field() {
        let mut challenge = choose(&["Digest realm=\"a\\\"b\", nonce=\"c\""]).unwrap();
        let answer = challenge.answer(&login("x\"y\r\nZ: z", "p"), "CONNECT", "h:1", "chance");
        assert!(
            answer.contains("username=\"x\\\"yZ: z\", realm=\"a\\\"b\""),
            "{answer}"
        );
        assert!(
            !answer.contains("qop") && !answer.contains("cnonce"),
            "{answer}"
        );
    }
}
