// Keep a peer's server on one port of 127.0.0.1, whatever its library would choose; print one JSON line
// when it listens; end on SIGTERM.
import net from 'node:net';
import { readFileSync } from 'node:fs';

export const port = Number(process.argv[2] ?? 0);

export function loopback(home, name) {
  const manifest = new URL(`./node_modules/${name}/package.json`, home);
  const { version } = JSON.parse(readFileSync(manifest));
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (...args) {
    const callback = args.find((arg) => typeof arg === 'function');
    this.once('listening', () => {
      console.log(JSON.stringify({ peer: name, version, port: this.address().port }));
    });
    return listen.call(this, { host: '127.0.0.1', port }, callback);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
}
