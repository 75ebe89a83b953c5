// Live observations over MQTT over WebSockets. In a browser take the bundle of the same package; the login is what POST /api/v1/applications answered.
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'

const { mqtt: login } = JSON.parse(readFileSync(process.env.APPLICATION, 'utf8'))
const websockets = login.also.find(({ url }) => url.startsWith('ws'))
let left = Number(process.env.COUNT ?? Infinity)

const client = mqtt.connect(websockets.url, {
  protocolVersion: 5,
  username: login.username,
  password: login.password,
  clientId: login.client_id_prefix + 'example'
})
client.on('connect', () => client.subscribe('live/#', { qos: 1 }))
client.on('message', (topic, payload, { properties }) => {
  const said = JSON.parse(payload)
  for (const one of Array.isArray(said) ? said : [said]) {
    console.log('live', topic, one.time, one.value, properties.userProperties.licence)
    if (--left === 0) client.end()
  }
})
