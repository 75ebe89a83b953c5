// Parses an AsyncAPI document with the AsyncAPI initiative's parser and prints what it found wrong as JSON; run by `tests/system/test_clients.py`.
import { Parser } from '@asyncapi/parser'

const parser = new Parser()
const text = await (await fetch(process.argv[2])).text()
const { document, diagnostics } = await parser.parse(text)
const wrong = diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => `${path.join('/')}: ${message}`)
const refused = await parser.parse(text.replace('"action": "receive"', '"action": "hear"').replace('"action":"receive"', '"action":"hear"'))
console.log(JSON.stringify({
  wrong,
  channels: document?.allChannels().length ?? 0,
  operations: document?.allOperations().length ?? 0,
  'a wrong action is seen': refused.diagnostics.some(({ severity }) => severity === 0)
}))
