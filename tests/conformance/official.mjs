// Heroku's own CLI, unmodified, for many commands in one process, as its start costs a second and a command a tenth of
// one. A command a line, as a JSON list of words, comes from a descriptor of its own: stdin is the commands' to read.
// A result a line goes to stdout.
import {createReadStream} from 'node:fs'
import {createInterface} from 'node:readline'
import {pathToFileURL} from 'node:url'
import path from 'node:path'

const root = process.argv[2]
const core = await import(pathToFileURL(path.join(root, '..', '@oclif', 'core', 'lib', 'index.js')))
const config = await core.Config.load(root)
const streams = {stdout: process.stdout, stderr: process.stderr}

for await (const line of createInterface({input: createReadStream('', {fd: Number(process.argv[3])})})) {
  const written = {stdout: '', stderr: ''}
  const writes = {}
  for (const [name, stream] of Object.entries(streams)) {
    writes[name] = stream.write
    stream.write = (chunk, encoding, done) => {
      written[name] += chunk
      const told = typeof encoding === 'function' ? encoding : done
      if (told) told()
      return true
    }
  }
  let error = null
  try {
    await core.run(JSON.parse(line), config)
  } catch (failure) {
    error = failure.message
  }
  for (const [name, stream] of Object.entries(streams)) stream.write = writes[name]
  process.stdout.write(JSON.stringify({error, ...written}) + '\n')
}
