// What has to change in a client's statements because all connections share one backend session.

import { cstring, message } from './frames.mjs'

const PREPARED = new Set(['P', 'B', 'D', 'C']) // Parse, Bind, Describe, Close
const NUL = 0

/**
 * Gives prepared statements a name per connection, since two clients may both call theirs `s1`.
 *
 * Returns the frame to send; `names` collects the names that this connection has made and not closed.
 */
export function renameStatement(frame, connectionId, names) {
  const type = String.fromCharCode(frame[0])
  if (!PREPARED.has(type)) return frame
  let at = 5
  if (type === 'D' || type === 'C') {
    if (frame[5] !== 0x53) return frame // 'S'tatement; a portal lives within one transaction of one connection
    at = 6
  } else if (type === 'B') {
    at = frame.indexOf(NUL, 5) + 1 // behind the portal's name
  }
  if (frame[at] === NUL) return frame // the unnamed statement lives until the next Parse
  const name = `c${connectionId}_${frame.toString('utf8', at, frame.indexOf(NUL, at))}`
  if (type === 'P') names.add(name)
  if (type === 'C') names.delete(name)
  const rest = frame.subarray(frame.indexOf(NUL, at) + 1)
  return message(type, frame.subarray(5, at), cstring(name), rest)
}

/** SQL of a simple Query ('Q') frame. */
export function sqlOf(frame) {
  return frame.toString('utf8', 5, frame.length - 1)
}

/** `DEALLOCATE name` with the connection's own name for it; any other statement unchanged. */
export function renameDeallocate(frame, connectionId, names) {
  const match = /^\s*deallocate\s+(?:prepare\s+)?("?)([\w.$-]+)\1\s*;?\s*$/i.exec(sqlOf(frame))
  if (!match) return frame
  const mine = match[2].toLowerCase() === 'all' ? [...names] : [`c${connectionId}_${match[2]}`]
  mine.forEach((name) => names.delete(name))
  return query(mine.map((name) => `DEALLOCATE "${name}"`).join(';') || 'SELECT')
}

export function query(sql) {
  return message('Q', cstring(sql))
}

/**
 * A COPY between client and table, as the pair of what the backend must run and which way the data goes.
 *
 * The backend is a library without a wire of its own: it reads and writes COPY data at /dev/blob.
 * Returns null for every other statement.
 */
export function copyOf(sql) {
  const match = /^\s*(copy\s[\s\S]+?)\s+(from\s+stdin|to\s+stdout)\b([\s\S]*)$/i.exec(sql)
  if (!match) return null
  const isFrom = /^from/i.test(match[2])
  return {
    isFrom,
    format: /\bbinary\b/i.test(match[3]) ? 'binary' : /\bcsv\b/i.test(match[3]) ? 'csv' : 'text',
    sql: `${match[1]} ${isFrom ? 'FROM' : 'TO'} '/dev/blob' ${match[3]}`,
  }
}
