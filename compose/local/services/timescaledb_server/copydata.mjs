// COPY data cut into rows: a server sends one CopyData message per row, and drivers rely on it.

const BINARY_HEADER_BYTES = 19 // signature, flags, length of the extension area; the area itself is empty
const NEWLINE = 0x0a
const TAB = 0x09

/** The rows of a COPY TO, in the pieces in which PostgreSQL would send them. */
export function rowsOf(data, format) {
  if (format === 'binary') return binaryRows(data)
  // a quoted CSV field may hold a newline: cutting there as well changes nothing for who joins the pieces
  const rows = []
  for (let at = 0; at < data.length;) {
    const end = data.indexOf(NEWLINE, at) + 1 || data.length
    rows.push(data.subarray(at, end))
    at = end
  }
  return rows
}

/** How many columns the rows have; 0 where there are none, or where quoting hides it (CSV). */
export function columnsOf(data, format) {
  if (data.length === 0 || format === 'csv') return 0
  if (format === 'binary') return Math.max(0, data.readInt16BE(BINARY_HEADER_BYTES)) // -1 is the trailer
  const end = data.indexOf(NEWLINE)
  return data.subarray(0, end < 0 ? data.length : end).filter((byte) => byte === TAB).length + 1
}

/** Tuples of the binary format; the header goes with the first, as PostgreSQL does, and the trailer is the last. */
function binaryRows(data) {
  const rows = []
  let start = 0
  let at = BINARY_HEADER_BYTES
  while (at + 2 <= data.length) {
    const fields = data.readInt16BE(at)
    at += 2
    for (let i = 0; i < fields; i++) {
      const length = data.readInt32BE(at)
      at += 4 + Math.max(0, length) // -1 is NULL
    }
    rows.push(data.subarray(start, at))
    start = at
  }
  return rows
}
