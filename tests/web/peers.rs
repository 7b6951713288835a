//! An independent WebSocket, of Python's library `websockets`, if it is installed.

use crate::Hub;
use crate::support::Process;
use crate::support::left_out;
use crate::support::piped;

const SCRIPT: &str = r#"
import asyncio, sys, websockets

async def main(port):
    uri = f"ws://127.0.0.1:{port}/socket"
    async with websockets.connect(uri, origin=f"http://127.0.0.1:{port}", compression=None) as ws:
        print(await ws.recv(), flush=True)
        got = b""
        while not got.endswith(b"\n"):
            got += await ws.recv()
        await (await ws.ping(b"ping"))
        await ws.send(b"echo " + got)
        await ws.send([b"in ", b"pie", b"ces"])
        try:
            while True:
                print(await ws.recv(), flush=True)
        except websockets.ConnectionClosed as closed:
            print("closed", closed.rcvd.code, flush=True)

asyncio.run(main(int(sys.argv[1])))
"#;

#[test]
fn pythons_websockets_and_a_hub_understand_each_other() {
    // Debian's package is for Debian's Python, which need not be the first there is.
    let has_it = |python: &&str| {
        let found = piped(python, &["-c", "import websockets"]).output();
        found.is_ok_and(|found| found.status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(has_it) else {
        return left_out("Python's websockets");
    };
    let mut hub = Hub::start(&[]);
    let port = hub.web.to_string();
    let mut peer = Process::start(&mut piped(python, &["-c", SCRIPT, &port]));
    peer.stdout.wait_for(r#"{"type":"hello","#);
    let line = format!("{}\n", "ö".repeat(30_000));
    hub.process.type_in(&line);
    hub.process
        .stdout
        .wait_for(&format!("echo {line}in pieces\n"));
    hub.process.end_input();
    let over = r#"{"type":"over","heard":60016,"hears":true}"#;
    peer.stdout.wait_for(&format!("{over}\nclosed 1001\n"));
    peer.expect_status(0);
    hub.process.expect_status(0);
}
