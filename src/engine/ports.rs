//! Ports: several in one word, as `20-25,80,443,http`.
//!
//! ```text
//!   list = part *( "," part )        part = port / number "-" number        port = number / service
//! ```
//!
//! What a number or a service's name means is the caller's to say. A service may have a hyphen in its name
//! (`http-alt`): only digits on both sides of one make a range, as in nc.
//!
//! It promises: what is given out ascends, has each port once, and is never empty.

/// Several ports, ascending, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<u16>);

/// Why a word is no list of ports.
#[derive(Debug, PartialEq, Eq)]
pub enum PortsError<E> {
    /// Nothing stands before, between or behind commas.
    Nothing,
    /// A range that ends before it begins: its two ends.
    Descending(u16, u16),
    /// Port 0 is no port that a program can listen on: bind(2) takes it for "any free one".
    Zero,
    /// One of them is no port.
    Port(E),
}

impl Ports {
    /// Whether a word means several ports, well written or not.
    pub fn are_several(word: &str) -> bool {
        word.contains(',') || range(word).is_some()
    }

    /// Reads a list; `port` says what a number or a name in it means.
    ///
    /// # Errors
    /// It is none.
    pub fn parse<E>(
        word: &str,
        mut port: impl FnMut(&str) -> Result<u16, E>,
    ) -> Result<Ports, PortsError<E>> {
        let mut all = Vec::new();
        for part in word.split(',') {
            if part.is_empty() {
                return Err(PortsError::Nothing);
            }
            let (first, last) = range(part).unwrap_or((part, part));
            let first = port(first).map_err(PortsError::Port)?;
            let last = match range(part) {
                Some(_) => port(last).map_err(PortsError::Port)?,
                None => first,
            };
            if first == 0 || last == 0 {
                return Err(PortsError::Zero);
            }
            if first > last {
                return Err(PortsError::Descending(first, last));
            }
            all.extend(first..=last);
            // However often 1-65535 is written, there are no more.
            if all.len() > usize::from(u16::MAX) {
                tidy(&mut all);
            }
        }
        tidy(&mut all);
        Ok(Ports(all))
    }

    /// The port, if it is one only.
    pub fn only(&self) -> Option<u16> {
        match self.0[..] {
            [port] => Some(port),
            _ => None,
        }
    }

    /// All of them.
    pub fn all(&self) -> &[u16] {
        &self.0
    }
}

fn tidy(ports: &mut Vec<u16>) {
    ports.sort_unstable();
    ports.dedup();
}

/// The two ends of a range.
fn range(part: &str) -> Option<(&str, &str)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    part.split_once('-')
        .filter(|(first, last)| is_number(first) && is_number(last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(word: &str) -> Result<Vec<u16>, PortsError<String>> {
        let port = |text: &str| match text {
            "http" => Ok(80),
            "http-alt" => Ok(8080),
            number => number.parse().map_err(|_| String::from(number)),
        };
        Ports::parse(word, port).map(|ports| ports.all().to_vec())
    }

    #[test]
    fn lists_ranges_and_names() {
        assert_eq!(parse("20-22,80,443,http"), Ok(vec![20, 21, 22, 80, 443]));
        assert_eq!(parse("7"), Ok(vec![7]));
        assert_eq!(parse("http-alt,http"), Ok(vec![80, 8080]));
        assert_eq!(parse("443,1-3,2-4"), Ok(vec![1, 2, 3, 4, 443]));
        assert_eq!(parse("5-5"), Ok(vec![5]));
        let all = ["1-65535"; 50].join(",");
        assert_eq!(parse(&all).map(|ports| ports.len()), Ok(65535));
    }

    #[test]
    fn what_is_wrong_is_told() {
        use PortsError::*;
        assert_eq!(parse("25-20"), Err(Descending(25, 20)));
        for word in ["0", "0-5", "80,0", "http,0-0"] {
            assert_eq!(parse(word), Err(Zero), "{word}");
        }
        for word in ["", ",", "80,", ",80", "80,,443"] {
            assert_eq!(parse(word), Err(Nothing), "{word}");
        }
        for (word, part) in [
            ("1-70000", "70000"),
            ("http-https", "http-https"),
            ("20-", "20-"),
            ("-20", "-20"),
            ("1-2-3", "1-2-3"),
            ("80, 81", " 81"),
        ] {
            assert_eq!(parse(word), Err(Port(String::from(part))), "{word}");
        }
    }

    #[test]
    fn one_port_is_not_several() {
        for word in ["80", "http", "http-alt", "x-1", "-20", "20-"] {
            assert!(!Ports::are_several(word), "{word}");
        }
        for word in ["80,81", "20-25", "25-20", "http,", "80-80"] {
            assert!(Ports::are_several(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn they_ascend_and_are_those_that_were_given(
            parts in prop::collection::vec((1_u16.., 0_u16..300), 1..20),
        ) {
            let ranges: Vec<(u16, u16)> = parts
                .iter()
                .map(|&(first, more)| (first, first.saturating_add(more)))
                .collect();
            let words: Vec<String> = ranges
                .iter()
                .map(|(first, last)| match first == last {
                    true => first.to_string(),
                    false => format!("{first}-{last}"),
                })
                .collect();
            let ports = parse(&words.join(",")).unwrap();
            prop_assert!(ports.windows(2).all(|two| two[0] < two[1]));
            for port in 1..=u16::MAX {
                let given = ranges.iter().any(|&(first, last)| (first..=last).contains(&port));
                prop_assert_eq!(given, ports.binary_search(&port).is_ok());
            }
        }
    }
}
