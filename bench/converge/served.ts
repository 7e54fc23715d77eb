import { once } from "node:events";
import { connect } from "node:net";

/**
 * Asks an Envoy for a Host over one connection, again as soon as it was answered; resolves with the time at which it was served
 * first. A pause between would be part of the figure: one of a millisecond made it longer by 0.9 ms.
 */
export async function untilServed(port: number, host: string): Promise<number> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const request = `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  let text = "";
  socket.setEncoding("latin1");
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.on("error", reject).on("data", (more: string) => {
    text += more;
    const length = /content-length: (\d+)/i.exec(text)?.[1];
    const end = text.indexOf("\r\n\r\n");
    if (end < 0 || (length !== undefined && text.length < end + 4 + Number(length))) return;
    if (length === undefined && !text.endsWith("0\r\n\r\n")) return;
    if (text.startsWith("HTTP/1.1 200 ")) resolve(performance.now());
    else if (/^HTTP\/1\.1 (404|503) /.test(text)) setImmediate(() => socket.write(request));
    else reject(new Error(`answered with ${text.slice(0, 200)}`));
    text = "";
  });
  socket.write(request);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
