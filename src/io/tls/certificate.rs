//! A certificate: the parts that say for what and for which others it may vouch (RFC 5280).
//!
//! webpki checks signatures, names and the order of a chain. It does not check what a trusted authority
//! may do, nor key usages: these are read here.
//!
//! It promises: bytes that make no sense are no certificate, and nothing is guessed; no byte of a
//! stranger's certificate makes it panic.

use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::UnixTime;

/// The side of a connection that shows a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A hub shows it.
    Server,
    /// A participant shows it.
    Client,
}

/// Why a certificate does not count for what it is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Its time is over.
    Expired {
        /// When it was.
        since: UnixTime,
    },
    /// Its time has not come.
    NotYet {
        /// When it comes.
        until: UnixTime,
    },
    /// It is not an authority's (basic constraints).
    NoAuthority,
    /// It is an authority's, where none may be.
    Authority,
    /// Its key signs no certificates (key usage).
    SignsNothing,
    /// There are more authorities below it than it may have (path length).
    TooDeep,
    /// It is for something else (extended key usage, Netscape's certificate type).
    Purpose,
    /// Its key is for something else (key usage).
    Usage,
    /// An extension that must be understood is not.
    Extension,
    /// It does not vouch for such names (name constraints).
    Names,
    /// It is of an older version of X.509 than 3, which says nothing of all that.
    Version,
}

/// What a certificate says of itself.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    from: UnixTime,
    until: UnixTime,
    serial: Vec<u8>,
    /// Names, as they are encoded.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    is_authority: bool,
    /// How many authorities may be below it.
    depth: Option<usize>,
    key_usage: Option<u8>,
    /// Encoded object identifiers.
    purposes: Option<Vec<Vec<u8>>>,
    netscape_type: Option<u8>,
    key_id: Option<Vec<u8>>,
    /// What it says of the certificate that it was signed with: the key's identifier, and the number.
    authority_key_id: Option<Vec<u8>>,
    authority_serial: Option<Vec<u8>>,
    /// The hosts that it is for, as they are told.
    names: Vec<String>,
    constrains_names: bool,
    /// It has the name of a host only where one did that before there was a place for it.
    has_host_as_common_name: bool,
    has_unknown_critical: bool,
}

/// Bits of a key usage (RFC 5280, 4.2.1.3), as in the first byte.
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_ENCIPHERMENT: u8 = 0x20;
const KEY_AGREEMENT: u8 = 0x08;
const KEY_CERT_SIGN: u8 = 0x04;

/// Bits of Netscape's certificate type.
const NETSCAPE_CLIENT: u8 = 0x80;
const NETSCAPE_SERVER: u8 = 0x40;

/// Object identifiers, encoded: 1.3.6.1.5.5.7.3.1 and .2, 2.16.840.1.113730.1.1, 2.5.4.3.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const NETSCAPE_TYPE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// Of extensions 2.5.29.N, those that are understood, or forbid nothing here: key usage, alternative
/// name, basic constraints, name constraints (by webpki), where revocations are, policies, extended key
/// usage.
const UNDERSTOOD: [u8; 7] = [15, 17, 19, 30, 31, 32, 37];

impl Certificate {
    /// What it says, if it is a certificate of version 3 (or an older one, which has no extensions).
    pub(super) fn read(der: &[u8]) -> Option<Certificate> {
        let mut outer = Der(Der(der).only(SEQUENCE)?);
        let mut body = Der(outer.next(SEQUENCE)?);
        body.optional(CONTEXT | CONSTRUCTED);
        let serial = body.next(INTEGER)?.to_vec();
        body.next(SEQUENCE)?;
        let issuer = body.next(SEQUENCE)?.to_vec();
        let mut validity = Der(body.next(SEQUENCE)?);
        let (from, until) = (validity.time()?, validity.time()?);
        let subject = body.next(SEQUENCE)?.to_vec();
        body.next(SEQUENCE)?;
        body.optional(CONTEXT | 1);
        body.optional(CONTEXT | 2);
        let mut certificate = Certificate {
            from,
            until,
            serial,
            has_host_as_common_name: has_host_as_common_name(&subject)?,
            subject,
            issuer,
            is_authority: false,
            depth: None,
            key_usage: None,
            purposes: None,
            netscape_type: None,
            key_id: None,
            authority_key_id: None,
            authority_serial: None,
            names: Vec::new(),
            constrains_names: false,
            has_unknown_critical: false,
        };
        if let Some(extensions) = body.optional(CONTEXT | CONSTRUCTED | 3) {
            let mut extensions = Der(Der(extensions).only(SEQUENCE)?);
            while !extensions.is_empty() {
                certificate.extend(Der(extensions.next(SEQUENCE)?))?;
            }
        }
        body.is_empty().then_some(certificate)
    }

    fn extend(&mut self, mut extension: Der<'_>) -> Option<()> {
        let id = extension.next(OBJECT_IDENTIFIER)?;
        let is_critical = extension
            .optional(BOOLEAN)
            .is_some_and(|value| value != [0]);
        let value = Der(extension.next(OCTET_STRING)?);
        match id {
            [0x55, 0x1d, 14] => self.key_id = Some(value.only(OCTET_STRING)?.to_vec()),
            [0x55, 0x1d, 15] => self.key_usage = Some(value.bits()?),
            [0x55, 0x1d, 17] => {
                let mut names = Der(value.only(SEQUENCE)?);
                while !names.is_empty() {
                    let (kind, name) = names.any()?;
                    // There a host's name belongs.
                    self.has_host_as_common_name &= kind != DNS_NAME;
                    self.names.extend(host(kind, name));
                }
            }
            [0x55, 0x1d, 19] => {
                let mut constraints = Der(value.only(SEQUENCE)?);
                self.is_authority = constraints.optional(BOOLEAN).is_some_and(|is| is != [0]);
                self.depth = match constraints.optional(INTEGER) {
                    // A longer number is longer than any chain, and a negative one is nonsense.
                    Some(&[depth]) if depth < 0x80 => Some(depth.into()),
                    Some(&[first, _, ..]) if first < 0x80 => None,
                    Some(_) => return None,
                    None => None,
                };
            }
            [0x55, 0x1d, 30] => self.constrains_names = true,
            [0x55, 0x1d, 35] => {
                let mut key = Der(value.only(SEQUENCE)?);
                self.authority_key_id = key.optional(CONTEXT).map(Vec::from);
                key.optional(CONTEXT | CONSTRUCTED | 1);
                self.authority_serial = key.optional(CONTEXT | 2).map(Vec::from);
            }
            [0x55, 0x1d, 37] => {
                let mut list = Der(value.only(SEQUENCE)?);
                let mut purposes = Vec::new();
                while !list.is_empty() {
                    purposes.push(list.next(OBJECT_IDENTIFIER)?.to_vec());
                }
                self.purposes = Some(purposes);
            }
            NETSCAPE_TYPE => self.netscape_type = Some(value.bits()?),
            _ => {}
        }
        let is_understood = match id {
            [0x55, 0x1d, number] => UNDERSTOOD.contains(number),
            id => id == NETSCAPE_TYPE,
        };
        self.has_unknown_critical |= is_critical && !is_understood;
        Some(())
    }

    /// Whether its owner may show it now, for this purpose.
    pub(super) fn check_owner(&self, purpose: Purpose, now: UnixTime) -> Result<(), Unfit> {
        self.check(purpose, now)?;
        let (usages, kind) = match purpose {
            Purpose::Server => (
                DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT,
                NETSCAPE_SERVER,
            ),
            Purpose::Client => (DIGITAL_SIGNATURE | KEY_AGREEMENT, NETSCAPE_CLIENT),
        };
        if self.key_usage.is_some_and(|usage| usage & usages == 0) {
            return Err(Unfit::Usage);
        }
        match self.netscape_type.is_some_and(|types| types & kind == 0) {
            true => Err(Unfit::Purpose),
            false => Ok(()),
        }
    }

    /// Whether it may vouch now, for this purpose, for a certificate with so many authorities in between.
    pub(super) fn check_authority(
        &self,
        purpose: Purpose,
        between: usize,
        now: UnixTime,
    ) -> Result<(), Unfit> {
        self.check(purpose, now)?;
        if !self.is_authority {
            return Err(Unfit::NoAuthority);
        }
        if self
            .key_usage
            .is_some_and(|usage| usage & KEY_CERT_SIGN == 0)
        {
            return Err(Unfit::SignsNothing);
        }
        match self.depth.is_some_and(|depth| between > depth) {
            true => Err(Unfit::TooDeep),
            false => Ok(()),
        }
    }

    /// Checks that every certificate has to pass.
    fn check(&self, purpose: Purpose, now: UnixTime) -> Result<(), Unfit> {
        if now < self.from {
            return Err(Unfit::NotYet { until: self.from });
        }
        if now > self.until {
            return Err(Unfit::Expired { since: self.until });
        }
        if self.has_unknown_critical {
            return Err(Unfit::Extension);
        }
        let wanted = match purpose {
            Purpose::Server => SERVER_AUTH,
            Purpose::Client => CLIENT_AUTH,
        };
        match &self.purposes {
            Some(purposes) if purposes.iter().all(|purpose| purpose != wanted) => {
                Err(Unfit::Purpose)
            }
            _ => Ok(()),
        }
    }

    /// Whether it says that it was signed with another certificate than this one, though they have the
    /// names.
    pub(super) fn disowns(&self, issuer: &Certificate) -> bool {
        let other = |mine: &Option<Vec<u8>>, theirs: Option<&Vec<u8>>| match (mine, theirs) {
            (Some(mine), Some(theirs)) => mine != theirs,
            _ => false,
        };
        other(&self.authority_key_id, issuer.key_id.as_ref())
            || other(&self.authority_serial, Some(&issuer.serial))
    }

    /// Whether its owner and its issuer have one name, so that it does not count as one in between.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether it is signed by its own key, as far as it says.
    pub(super) fn is_self_signed(&self) -> bool {
        self.is_self_issued() && !self.disowns(self)
    }

    /// The hosts that it is for.
    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// Whether it limits the names that it vouches for.
    pub(super) fn constrains_names(&self) -> bool {
        self.constrains_names
    }

    /// Whether it has the name of a host where no limit on names is looked for.
    pub(super) fn has_host_as_common_name(&self) -> bool {
        self.has_host_as_common_name
    }
}

/// The key in a certificate of any version (RFC 5280, 4.1), if there is one at its place; nothing else of
/// it is looked at.
pub(super) fn key(der: &[u8]) -> Option<SubjectPublicKeyInfoDer<'_>> {
    let mut outer = Der(Der(der).only(SEQUENCE)?);
    let mut body = Der(outer.next(SEQUENCE)?);
    body.optional(CONTEXT | CONSTRUCTED);
    body.next(INTEGER)?;
    // The algorithm of the signature, the issuer, the validity, the subject.
    for _ in 0..4 {
        body.next(SEQUENCE)?;
    }
    let Der(from_key) = body;
    body.next(SEQUENCE)?;
    let length = from_key.len() - body.0.len();
    Some(SubjectPublicKeyInfoDer::from(&from_key[..length]))
}

/// The name or the address of a host, if it is one (RFC 5280, 4.2.1.6).
fn host(kind: u8, name: &[u8]) -> Option<String> {
    match kind {
        DNS_NAME => {
            let name = name.escape_ascii().to_string();
            // It is none by this that one could connect to.
            Some(match name.parse::<IpAddr>() {
                Ok(_) => format!("the DNS name {name}"),
                Err(_) => name,
            })
        }
        IP_ADDRESS => match name.len() {
            4 => <[u8; 4]>::try_from(name)
                .ok()
                .map(|ip| IpAddr::from(ip).to_string()),
            _ => <[u8; 16]>::try_from(name)
                .ok()
                .map(|ip| IpAddr::from(ip).to_string()),
        },
        _ => None,
    }
}

/// Whether the common name of a subject looks like the name of a host.
fn has_host_as_common_name(subject: &[u8]) -> Option<bool> {
    let mut names = Der(subject);
    let mut has = false;
    while !names.is_empty() {
        let mut one = Der(names.next(SET)?);
        while !one.is_empty() {
            let mut pair = Der(one.next(SEQUENCE)?);
            let id = pair.next(OBJECT_IDENTIFIER)?;
            has |= id == COMMON_NAME && pair.any()?.1.contains(&b'.');
        }
    }
    Some(has)
}

/// Tags of ASN.1 (X.690, 8.1.2).
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT: u8 = 0x80;
const CONSTRUCTED: u8 = 0x20;
const DNS_NAME: u8 = CONTEXT | 2;
const IP_ADDRESS: u8 = CONTEXT | 7;

/// Values one after the other in the distinguished encoding (X.690).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value: its tag, and what is in it.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, first, rest @ ..] = self.0 else {
            return None;
        };
        let (length, rest) = match usize::from(*first) {
            short @ 0..=0x7f => (short, rest),
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
                let length = bytes
                    .iter()
                    .fold(0, |length, &byte| length << 8 | usize::from(byte));
                (length, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    /// What is in the next value, which must have this tag.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.any()
            .filter(|found| found.0 == tag)
            .map(|found| found.1)
    }

    /// The same if it has this tag; else it stays.
    fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        match self.0.first() == Some(&tag) {
            true => self.next(tag),
            false => None,
        }
    }

    /// What is in the only value.
    fn only(mut self, tag: u8) -> Option<&'a [u8]> {
        self.next(tag).filter(|_| self.is_empty())
    }

    /// The first byte of the only value, bits.
    fn bits(self) -> Option<u8> {
        match self.only(BIT_STRING)? {
            [0..=7, first, ..] => Some(*first),
            [0] => Some(0),
            _ => None,
        }
    }

    /// A time (RFC 5280, 4.1.2.5), to the second and in UTC.
    fn time(&mut self) -> Option<UnixTime> {
        let (tag, text) = self.any()?;
        let mut digits = text
            .strip_suffix(b"Z")?
            .chunks_exact(2)
            .map(|two| match two {
                [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                    Some(u64::from(tens - b'0') * 10 + u64::from(ones - b'0'))
                }
                _ => None,
            });
        let mut next = || digits.next().flatten();
        let year = match (tag, text.len()) {
            (GENERALIZED_TIME, 15) => next()? * 100 + next()?,
            (UTC_TIME, 13) => match next()? {
                year @ ..50 => 2000 + year,
                year => 1900 + year,
            },
            _ => return None,
        };
        let (month, day) = (next()?, next()?);
        let (hour, minute, second) = (next()?, next()?, next()?);
        let is_time = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24;
        if !is_time || minute > 59 || second > 59 {
            return None;
        }
        // A date before 1970 counts as 1970-01-01, which is as long past.
        let days = days_since_1970(year, month, day).unwrap_or(0);
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, unless it was before.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    // A year that begins in March ends with the day that is there every fourth year.
    let (year, month) = match month {
        1 | 2 => (year.checked_sub(1)?, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut about = rcgen::CertificateParams::new([String::from("localhost")]).unwrap();
        change(&mut about);
        about.self_signed(&key).unwrap().der().to_vec()
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn times_are_read() {
        for (tag, text, seconds) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(0)),
            (UTC_TIME, "000229120001Z", Some(951_825_601)),
            (GENERALIZED_TIME, "20260301000000Z", Some(1_772_323_200)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (GENERALIZED_TIME, "00000101000000Z", Some(0)),
            (UTC_TIME, "7001010000Z", None),
            (UTC_TIME, "700101000000", None),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "70010100000xZ", None),
            (GENERALIZED_TIME, "20260301000000+0100", None),
        ] {
            let der = [&[tag, text.len() as u8], text.as_bytes()].concat();
            assert_eq!(Der(&der).time(), seconds.map(at), "{text}");
        }
    }

    #[test]
    fn what_a_certificate_says_is_read() {
        let plain = Certificate::read(&made(|_| {})).unwrap();
        assert!(!plain.is_authority && plain.is_self_signed() && !plain.constrains_names());
        let now = at(1_800_000_000);
        for purpose in [Purpose::Server, Purpose::Client] {
            assert_eq!(plain.check_owner(purpose, now), Ok(()));
            let refused = plain.check_authority(purpose, 0, now);
            assert_eq!(refused, Err(Unfit::NoAuthority));
        }
        let authority = Certificate::read(&made(|about| {
            about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(1));
            about.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
            about.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            about.not_after = rcgen::date_time_ymd(2030, 1, 1);
        }))
        .unwrap();
        let asked = |purpose, between, now| authority.check_authority(purpose, between, now);
        assert_eq!(asked(Purpose::Server, 1, now), Ok(()));
        assert_eq!(asked(Purpose::Server, 2, now), Err(Unfit::TooDeep));
        assert_eq!(asked(Purpose::Client, 0, now), Err(Unfit::Purpose));
        let since = at(1_893_456_000);
        let late = asked(Purpose::Server, 0, at(1_893_456_001));
        assert_eq!(late, Err(Unfit::Expired { since }));
        assert_eq!(
            authority.check_owner(Purpose::Server, now),
            Err(Unfit::Usage)
        );
        assert!(!authority.disowns(&authority));
        let strange = Certificate::read(&made(|about| {
            let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
            extension.set_criticality(true);
            about.custom_extensions = vec![extension];
        }))
        .unwrap();
        let refused = strange.check_owner(Purpose::Server, now);
        assert_eq!(refused, Err(Unfit::Extension));
    }

    proptest! {
        /// Whatever the bytes, it is read or not, and nothing else happens.
        #[test]
        fn nonsense_is_no_certificate(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            end in any::<prop::sample::Index>(),
            noise in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let _ = Certificate::read(&noise);
            let mut der = made(|about| {
                about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(3));
                about.use_authority_key_identifier_extension = true;
            });
            prop_assert!(Certificate::read(&der).is_some());
            let end = end.index(der.len());
            prop_assert!(Certificate::read(&der[..end]).is_none());
            let at = at.index(der.len());
            der[at] = byte;
            let _ = Certificate::read(&der);
        }
    }
}
