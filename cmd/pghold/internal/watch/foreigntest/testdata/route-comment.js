// The route of a request, in a comment at the end of each of its statements.
const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks')
const { Client, Pool } = require('pg')

const requests = new AsyncLocalStorage()

module.exports = (req, res, next) => requests.run(req, next)

function tagged(text) {
  const path = requests.getStore()?.route?.path // the pattern, once express has found it
  return path ? `${text} /*route='${encodeURIComponent(path).replaceAll("'", '%27')}'*/` : text
}

// pg calls a callback from wherever a connection came free. It belongs to the request
// that gave it.
const bound = (args) => args.map((arg) => (typeof arg === 'function' ? AsyncResource.bind(arg) : arg))

const { query } = Client.prototype
Client.prototype.query = function (statement, ...rest) {
  if (typeof statement === 'string') {
    statement = tagged(statement)
  } else if (statement?.text && !statement.name && !statement.submit) {
    statement = { ...statement, text: tagged(statement.text) }
  }
  return query.call(this, statement, ...bound(rest))
}

const { connect } = Pool.prototype
Pool.prototype.connect = function (...args) {
  return connect.apply(this, bound(args))
}
