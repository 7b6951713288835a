//! Telnet: what is read does not depend on where it is cut, answers are bounded and answered by nothing,
//! and what is doubled is read as it was.

use muxnc::engine::telnet::Answers;
use muxnc::engine::telnet::MOST;
use muxnc::engine::telnet::Reader;
use muxnc::engine::telnet::Writer;

/// Reads the first byte's number of bytes at a time.
pub fn telnet(data: &[u8]) {
    let (&size, data) = data.split_first().unwrap_or((&0, data));
    let whole = read(data, usize::MAX);
    assert_eq!(read(data, usize::from(size % 8) + 1), whole);
    let (said, answers) = whole;
    assert!(said.len() <= data.len() && answers.len() <= data.len().min(MOST));
    assert_eq!(read(&answers, 1), (Vec::new(), Vec::new()));
    let mut wire = Vec::new();
    Writer::default().double(&said, &mut wire);
    assert_eq!(read(&wire, 3), (said, Vec::new()));
}

/// What was said, and what is answered, of bytes that come so many at a time.
fn read(data: &[u8], size: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut reader, mut answers) = (Reader::default(), Answers::default());
    let mut said = Vec::new();
    for piece in data.chunks(size) {
        let mut piece = piece.to_vec();
        let count = reader.read(&mut piece, &mut answers);
        said.extend(&piece[..count]);
    }
    (said, answers.take())
}
