// @medplum/hl7, acknowledging every message with AA and doing nothing else: node server.mjs PORT
import { loopback, port } from '../node/loopback.mjs';
import { Hl7Server } from '@medplum/hl7';

loopback(import.meta.url, '@medplum/hl7');
const server = new Hl7Server((connection) => {
  connection.addEventListener('message', ({ message }) => connection.send(message.buildAck()));
});
await server.start(port);
