// Frames of the PostgreSQL wire protocol, version 3: cutting a byte stream into messages, and building ours.
// Source: https://www.postgresql.org/docs/17/protocol-message-formats.html

export const PROTOCOL_3 = 196608
export const SSL_REQUEST = 80877103
export const GSS_REQUEST = 80877104

/** One backend message: a type letter, and a length that counts itself. */
export function message(type, ...parts) {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head.write(type, 0)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

export function cstring(text) {
  return Buffer.from(text + '\0')
}

function int32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** What a server says after a successful log-in: no password wanted, its parameters, and that it is ready. */
export function greeting(connectionId, serverVersion) {
  const parameters = {
    server_version: serverVersion,
    server_encoding: 'UTF8',
    client_encoding: 'UTF8',
    DateStyle: 'ISO, MDY',
    IntervalStyle: 'postgres',
    TimeZone: 'UTC',
    integer_datetimes: 'on',
    standard_conforming_strings: 'on',
    is_superuser: 'on',
  }
  return Buffer.concat([
    message('R', int32(0)),
    ...Object.entries(parameters).map(([name, value]) => message('S', cstring(name), cstring(value))),
    message('K', int32(connectionId), int32(0)),
    message('Z', Buffer.from('I')),
  ])
}

export function errorResponse(severity, sqlState, text) {
  const fields = { S: severity, V: severity, C: sqlState, M: text }
  const body = Object.entries(fields).map(([key, value]) => cstring(key + value))
  return message('E', ...body, Buffer.from([0]))
}

/** CopyInResponse ('G') or CopyOutResponse ('H') for `columns` columns, all of them text or all binary. */
export function copyResponse(type, isBinary, columns = 0) {
  const body = Buffer.alloc(3 + 2 * columns)
  body[0] = isBinary ? 1 : 0
  body.writeInt16BE(columns, 1)
  for (let i = 0; i < columns; i++) body.writeInt16BE(body[0], 3 + 2 * i)
  return message(type, body)
}

/** The status letter of the last ReadyForQuery in `bytes`: I idle, T in a transaction, E in a failed one; or null. */
export function transactionStatus(bytes) {
  let status = null
  for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    if (bytes[at] === 0x5a) status = String.fromCharCode(bytes[at + 5])
  }
  return status
}

/** Collects bytes and gives them back as whole frontend messages. */
export class FrameReader {
  #pending = Buffer.alloc(0)
  #isStarted = false

  /** After this the messages begin with a type letter; the start-up packets do not. */
  startUpDone() {
    this.#isStarted = true
  }

  push(bytes) {
    this.#pending = this.#pending.length ? Buffer.concat([this.#pending, bytes]) : bytes
  }

  /** The next whole message, or null until more bytes come. Throws RangeError on a length that cannot be. */
  next() {
    const head = this.#isStarted ? 5 : 4
    if (this.#pending.length < head) return null
    const length = this.#isStarted ? 1 + this.#pending.readInt32BE(1) : this.#pending.readInt32BE(0)
    if (length < head) throw new RangeError(`message of ${length} bytes`)
    if (this.#pending.length < length) return null
    const frame = this.#pending.subarray(0, length)
    this.#pending = this.#pending.subarray(length)
    return frame
  }
}
