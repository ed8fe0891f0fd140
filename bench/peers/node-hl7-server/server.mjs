// node-hl7-server, acknowledging every message with AA and doing nothing else: node server.mjs PORT
import { loopback } from '../node/loopback.mjs';
import { Server } from 'node-hl7-server';

loopback(import.meta.url, 'node-hl7-server');
// The library checks the port's range and then never uses its bindAddress; loopback() has the last word on both.
new Server().createInbound({ port: 2575 }, async (_request, response) => {
  await response.sendResponse('AA');
});
