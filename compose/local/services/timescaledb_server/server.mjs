// node server.mjs PACKAGES_DIR HOST PORT DATA_DIR
//
// TimescaleDB on PostgreSQL 17 (compiled to WebAssembly, PGlite) behind the PostgreSQL wire protocol: real SQL,
// hypertables, continuous aggregates and columnstore for development and tests, on a machine without containers.
// Any user, password and database name is let in; it listens on loopback. What differs from a real server:
// one backend serves all connections, so a transaction holds up the others until it ends; SET is seen by all;
// a statement cannot be cancelled; no background workers (a policy runs by CALL run_job(id)).

import net from 'node:net'

import { openBackend } from './backend.mjs'
import {
  FrameReader, GSS_REQUEST, PROTOCOL_3, SSL_REQUEST, copyResponse, errorResponse, greeting, message,
} from './frames.mjs'
import { columnsOf, rowsOf } from './copydata.mjs'
import { copyOf, query, renameDeallocate, renameStatement, sqlOf } from './statements.mjs'

const IDLE_IN_TRANSACTION_LIMIT_MS = 30_000
const RUNS_BATCH = new Set(['Q', 'S', 'H', 'F']) // Query, Sync, Flush, FunctionCall

class Session {
  #socket
  #backend
  #reader = new FrameReader()
  #batch = []
  #copy = null // a COPY FROM under way: { sql, chunks }
  #statements = new Set()
  #inTransaction = false
  #work = Promise.resolve() // one thing after the other, in the order in which messages came
  #idleTimer = null

  constructor(socket, backend, id) {
    this.#socket = socket
    this.#backend = backend
    this.id = id
    this.isStarted = false
    socket.setNoDelay(true)
    socket.on('error', () => {}) // a client that vanished; 'close' follows
    socket.on('data', (bytes) => this.#receive(bytes))
    socket.on('close', () => this.#enqueue(() => this.#cleanUp()))
  }

  #receive(bytes) {
    this.#reader.push(bytes)
    try {
      for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) {
        if (this.isStarted) this.#take(frame)
        else this.#start(frame)
      }
    } catch (error) {
      this.#socket.end(errorResponse('FATAL', '08P01', `protocol violation: ${error.message}`))
    }
  }

  #start(frame) {
    const code = frame.readInt32BE(4)
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      this.#socket.write('N') // no encryption on loopback
    } else if (code === PROTOCOL_3) {
      this.isStarted = true
      this.#reader.startUpDone()
      this.#socket.write(greeting(this.id, this.#backend.version))
    } else if (code >> 16 === 3) {
      // a newer minor version: say that 3.0 is spoken (NegotiateProtocolVersion), then go on
      this.#socket.write(message('v', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])))
      this.isStarted = true
      this.#reader.startUpDone()
      this.#socket.write(greeting(this.id, this.#backend.version))
    } else {
      this.#socket.destroy() // a cancel request, which cannot be met, or another protocol
    }
  }

  #take(frame) {
    clearTimeout(this.#idleTimer)
    const type = String.fromCharCode(frame[0])
    if (type === 'X') {
      this.#socket.end()
    } else if (this.#copy || type === 'd' || type === 'c' || type === 'f') {
      this.#takeCopy(type, frame)
    } else if (type === 'Q' && copyOf(sqlOf(frame))) {
      this.#startCopy(copyOf(sqlOf(frame)))
    } else {
      const named = renameStatement(frame, this.id, this.#statements)
      this.#batch.push(type === 'Q' ? renameDeallocate(named, this.id, this.#statements) : named)
      if (!RUNS_BATCH.has(type)) return
      if (type === 'H' && this.#batch.length === 1) { // Flush of nothing: every answer is on its way already
        this.#batch = []
        return
      }
      const bytes = Buffer.concat(this.#batch)
      this.#batch = []
      this.#onBackend(async () => {
        const { answer, status } = await this.#backend.run(bytes)
        return { output: answer, status }
      })
    }
  }

  #startCopy(copy) {
    if (copy.isFrom) {
      this.#copy = { sql: copy.sql, chunks: [] }
      this.#enqueue(() => this.#write(copyResponse('G', copy.format === 'binary')))
      return
    }
    this.#onBackend(async () => {
      const { answer, status, data } = await this.#backend.copyOut(copy.sql)
      if (answer[0] === 0x45) return { output: answer, status } // 'E'rror
      const head = copyResponse('H', copy.format === 'binary', columnsOf(data, copy.format))
      const rows = rowsOf(data, copy.format).map((row) => message('d', row))
      return { output: Buffer.concat([head, ...rows, message('c'), answer]), status }
    })
  }

  #takeCopy(type, frame) {
    if (!this.#copy) return // data behind a COPY that has ended: to be ignored, says the protocol
    if (type === 'd') {
      this.#copy.chunks.push(Buffer.from(frame.subarray(5)))
    } else if (type === 'c') {
      const { sql, chunks } = this.#copy
      this.#copy = null
      this.#onBackend(async () => {
        const { answer, status } = await this.#backend.copyIn(sql, chunks)
        return { output: answer, status }
      })
    } else if (type === 'f') {
      this.#copy = null
      const reason = frame.toString('utf8', 5, frame.length - 1).replaceAll("'", "''")
      // an error of the backend's own, so that an open transaction is marked as failed
      const raise = `DO $$ BEGIN RAISE query_canceled USING MESSAGE = 'COPY from stdin failed: ${reason.replaceAll('$$', '')}'; END $$`
      this.#onBackend(async () => {
        const { answer, status } = await this.#backend.run(query(raise))
        return { output: answer, status }
      })
    }
  }

  #enqueue(step) {
    this.#work = this.#work.then(step)
  }

  /** Runs `action` while holding the backend, which is kept until the transaction ends. */
  #onBackend(action) {
    this.#enqueue(async () => {
      await this.#backend.acquire(this)
      if (this.#socket.destroyed) {
        return // cleanUp, which comes next, gives the backend back
      }
      try {
        const { output, status } = await action()
        if (status !== null) this.#inTransaction = status !== 'I'
        this.#write(output)
        if (status !== null && !this.#inTransaction) this.#backend.release()
        else this.#watchIdle()
      } catch (error) {
        // the WebAssembly instance is in an unknown state: end, so that whoever watches this process sees it
        console.error('backend failed:', error)
        this.#write(errorResponse('FATAL', '58000', `backend failed: ${error.message}`))
        setTimeout(() => process.exit(1), 50)
      }
    })
  }

  /** Ends a session that sits in an open transaction while others wait (PostgreSQL's idle_in_transaction_session_timeout). */
  #watchIdle() {
    this.#idleTimer = setTimeout(() => {
      if (!this.#backend.isHeldBy(this)) return
      if (!this.#backend.isWanted()) {
        this.#watchIdle()
        return
      }
      const text = 'terminating connection due to idle-in-transaction timeout: others wait for this backend'
      this.#socket.end(errorResponse('FATAL', '25P03', text))
      this.#socket.destroySoon()
    }, IDLE_IN_TRANSACTION_LIMIT_MS)
    this.#idleTimer.unref()
  }

  #write(bytes) {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  /** Leaves nothing of this connection in the shared session: no open transaction, no prepared statements. */
  async #cleanUp() {
    clearTimeout(this.#idleTimer)
    if (this.#inTransaction || this.#statements.size > 0) {
      await this.#backend.acquire(this)
      if (this.#inTransaction) await this.#backend.run(query('ROLLBACK'))
      for (const name of this.#statements) await this.#backend.run(query(`DEALLOCATE "${name}"`))
    }
    if (this.#backend.isHeldBy(this)) this.#backend.release()
  }
}

const [packagesDir, host, port, dataDir] = process.argv.slice(2)
if (!dataDir) {
  console.error('usage: node server.mjs PACKAGES_DIR HOST PORT DATA_DIR')
  process.exit(2)
}
const backend = await openBackend(packagesDir, dataDir)
let sessions = 0
const server = net.createServer((socket) => new Session(socket, backend, ++sessions))
server.listen(Number(port), host, () => console.log(`PostgreSQL ${backend.version}, TimescaleDB: listening on ${host}:${port}`))
for (const name of ['SIGTERM', 'SIGINT']) {
  process.on(name, async () => {
    server.close()
    await backend.close()
    process.exit(0)
  })
}
