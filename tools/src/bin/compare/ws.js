// A hub of Node's ws: stdin to everybody, and read on when most of it was written.
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({
  host: '127.0.0.1', port: Number(process.argv[1]), perMessageDeflate: false, backlog: 4096,
});
let left = 0;
process.stdin.on('data', (chunk) => {
  for (const client of server.clients) {
    left += 1;
    client.send(chunk, { binary: true }, () => {
      left -= 1;
      if (left < 2 * server.clients.size) process.stdin.resume();
    });
  }
  if (left > 4 * server.clients.size) process.stdin.pause();
});
