/**
 * TCP ports of this machine: which one a server may listen on.
 */
import { createServer } from 'node:net';

/** Whether a server could listen there now. Another process may be faster than its asker. */
export async function isPortFree(address: string, port: number): Promise<boolean> {
  return (await listenOnce(address, port)) !== null;
}

/** A port the system gives out. */
export async function takeFreePort(address: string): Promise<number> {
  const port = await listenOnce(address, 0);
  return port!; // the system always has one, or listening itself fails
}

/** Listens and stops again; the port, or null when it is taken. */
function listenOnce(address: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(null);
    });
    server.listen({ host: address, port, exclusive: true }, () => {
      const bound = server.address();
      const taken = bound !== null && typeof bound === 'object' ? bound.port : null;
      server.close(() => {
        resolve(taken);
      });
    });
  });
}
