//! Ports that no browser connects to, since servers of other protocols might be misled there.

/// The Fetch standard's list (<https://fetch.spec.whatwg.org/#bad-port>), in order.
const BAD: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// Whether browsers refuse to connect to that port. 0 stands for one that the system chooses, which is
/// none of these (they are below its range, ip(7)).
pub fn is_refused(port: u16) -> bool {
    port != 0 && BAD.binary_search(&port).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_refuse_some_ports() {
        assert!(BAD.is_sorted());
        for port in [1, 22, 2049, 3659, 4045, 5060, 6000, 6667, 6697, 10080] {
            assert!(is_refused(port), "{port}");
        }
        for port in [0, 80, 443, 3000, 8080, 8443, 65535] {
            assert!(!is_refused(port), "{port}");
        }
    }
}
