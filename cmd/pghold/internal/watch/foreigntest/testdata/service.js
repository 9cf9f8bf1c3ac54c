// Routes that make a slow call in a transaction, for each way of asking pg.
const express = require('express')
const { Pool } = require('pg')

const pool = new Pool({ connectionString: process.env.DATABASE_URL, application_name: 'node', max: 15 })
const slowCall = () => fetch(process.env.SLOW_URL)
const app = express()
app.use(require('./route-comment'))

const inTransaction = (ask) => async (req, res) => {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await ask(client, req.params.id)
    await slowCall()
    await client.query('COMMIT')
  } finally {
    client.release()
  }
  res.end()
}

app.get('/text/:id', inTransaction((client, id) => client.query('select $1::int as id', [id])))
app.get('/config/:id', inTransaction((client, id) => client.query({ text: 'select $1::int as id', values: [id] })))

const named = (client, id) => client.query({ name: 'id', text: 'select $1::int as id', values: [id] })
app.get('/named/:id', inTransaction(named))
app.get('/named/too/:id', inTransaction(named))

// Its headers are sent when it waits for its connection.
app.get('/callback/:id', (req, res) => {
  const or = (then) => (err, ...rest) => (err ? res.destroy(err) : then(...rest))
  pool.connect(or((client, release) => {
    client.query('BEGIN', or(() => {
      client.query('select $1::int as id', [req.params.id], or(async () => {
        await slowCall()
        client.query('COMMIT', or(() => {
          release()
          res.end()
        }))
      }))
    }))
  }))
  res.flushHeaders()
})

// Its second statement is asked for where the first has been answered.
app.get('/pool/:id', (req, res) => {
  const or = (then) => (err, ...rest) => (err ? res.destroy(err) : then(...rest))
  pool.query('select 1', or(() => {
    pool.query('select current_query() as text', or(({ rows }) => res.end(rows[0].text)))
  }))
  res.flushHeaders()
})

const server = app.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
