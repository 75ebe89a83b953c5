// Live observations as Server-Sent Events. A browser has EventSource built in; it goes on by itself where it was cut off.
import { EventSource } from 'eventsource'

let left = Number(process.env.COUNT ?? Infinity)
const source = new EventSource(`${process.env.BROKER}/api/v1/releases/${process.env.RELEASE}/live`)
source.onmessage = ({ data, lastEventId }) => {
  const one = JSON.parse(data)
  console.log('live', one.time, one.value, lastEventId)
  if (--left === 0) source.close()
}
source.addEventListener('end', ({ data }) => {
  console.log('ended', JSON.parse(data).reason)
  source.close()
})
