//! The same work through every hub there is, one after the other.

mod floor;
mod load;

use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn start(name: &str, port: u16) -> Child {
    let port = port.to_string();
    let me = std::env::current_exe().unwrap();
    let muxnc = std::env::var("MUXNC").unwrap_or("target/release/muxnc".into());
    let mut c = Command::new("taskset");
    c.args(["-c", "0"]);
    match name {
        "muxnc" => c.args([&muxnc, "-l", "127.0.0.1", &port]),
        "floor" => c.arg(me).args(["--floor", &port]),
        "ncat" => c.args(["ncat", "-lk", "-m", "5000", "127.0.0.1", &port]),
        other => c.args([other, "-l", "127.0.0.1", &port]),
    };
    c.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(String::as_str) == Some("--floor") {
        floor::run(args[2].parse().unwrap()).unwrap();
        return;
    }
    let peers: usize = args[1].parse().unwrap();
    let line: usize = args[2].parse().unwrap();
    let total: u64 = args[3].parse::<u64>().unwrap() << 20;
    let rounds: usize = args[4].parse().unwrap();
    let pattern = load::Pattern::new(line);
    let mut port = 20000 + (std::process::id() % 20000) as u16;
    for _ in 0..rounds {
        for name in &args[5..] {
            port += 1;
            let mut child = start(name, port);
            let addr = SocketAddr::from(([127, 0, 0, 1], port));
            let t = Instant::now();
            while std::net::TcpStream::connect(addr).is_err() && t.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(10));
            }
            let mut load = load::Load::connect(addr, peers).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            let before = cpu(child.id());
            match load.fan_out(child.stdin.take().unwrap(), &pattern, total) {
                Ok((time, _source)) => {
                    let used = cpu(child.id()) - before;
                    let gb = total as f64 * peers as f64 / 1e9;
                    println!("{name:8} {:.4} cpu s/GB  {:.2} GB/s wall", used / gb, gb / time.as_secs_f64());
                }
                Err(e) => println!("{name:8} {e}"),
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
