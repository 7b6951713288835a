//! Connecting: from a name to the first of its addresses that answers.

use std::net::SocketAddr;
use std::time::Instant;

use super::race::Race;
use super::race::Remote;
use super::race::Step;
use super::resolve::Patience;
use super::resolve::is_numeric;
use super::resolve::resolve;
use crate::engine::explain::Observed;
use crate::engine::explain::Witness;
use crate::engine::happy_eyeballs::interleave;
use crate::io::error::Error;

/// Connects to the first address that answers; they are raced, see
/// [`happy_eyeballs`](crate::engine::happy_eyeballs).
/// The socket is non-blocking.
///
/// # Errors
/// None answered. The most telling of their failures is told; with `-v`, each.
pub fn connect(
    remote: &Remote,
    witness: &mut dyn Witness,
) -> Result<(std::net::TcpStream, SocketAddr), Error> {
    let start = Instant::now();
    let end = start + remote.limit;
    let addrs = find(remote, end, witness)?;
    let mut race = Race::new(remote.clone(), addrs, start, end);
    loop {
        match race.step(witness) {
            Step::Won(socket, addr) => return Ok((socket.into(), addr)),
            Step::Wait(until) => race.wait(until),
            Step::Lost(error) => return Err(error),
        }
    }
}

/// Finds the addresses.
fn find(
    remote: &Remote,
    end: Instant,
    witness: &mut dyn Witness,
) -> Result<Vec<SocketAddr>, Error> {
    let is_name = !is_numeric(&remote.host, remote.port);
    if is_name {
        witness.observe(Observed::Asked(&remote.host));
    }
    let start = Instant::now();
    let addrs = resolve(
        &remote.host,
        remote.port,
        remote.family,
        remote.lookup,
        Patience::Until(end),
    )?;
    match is_name {
        true => {
            let order = interleave(addrs.clone(), SocketAddr::is_ipv4);
            witness.observe(Observed::Found(&remote.host, &order, start.elapsed()));
        }
        false => witness.observe(Observed::Numeric(addrs[0].ip())),
    }
    Ok(addrs)
}
