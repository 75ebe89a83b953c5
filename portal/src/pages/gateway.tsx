/** Connecting a gateway step by step, and one gateway: what it carries, what it refuses, what waits to be adopted. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, get, getAll } from "../api";
import { useNow } from "../clock";
import { Code } from "../code";
import { age, capital, kindName, moment, unitName } from "../format";
import { Act, Empty, Shown, useLoading } from "../loading";
import { Link } from "../router";
import { LoginShown, type Login } from "../secret";
import { useSession } from "../session";
import { t, tn } from "../words";
import { gatewayOf, type Datastream, type Gateway } from "./owner";

/** Everything that a gateway may speak (broker/model.py), and what it is called. */
const FORMATS: Readonly<Record<string, string>> = {
  json: "JSON, SenML", senml: "SenML (JSON)", "senml-cbor": "SenML (CBOR)", ttn: "The Things Stack", chirpstack: "ChirpStack", "sensor-community": "Sensor.Community", opensensemap: "openSenseMap",
  tasmota: "Tasmota", zigbee2mqtt: "Zigbee2MQTT", shelly: "Shelly", "home-assistant": "Home Assistant", sparkplug: "Sparkplug B", impinj: "Impinj IoT", zebra: "Zebra IoT Connector", epcis: "EPCIS 2.0",
  ngsi: "NGSI-LD, NGSI v2", cloudevents: "CloudEvents", gbfs: "GBFS", "gtfs-rt": "GTFS-Realtime", gateway: "mitoyen gateway",
};
const LOOK_MS = 1_000; // how often it is asked whether something came

export function NewGatewayPage(): JSX.Element {
  const [made, setMade] = useState<{ id: string; mqtt: Login } | null>(null);
  const [sensor, setSensor] = useState<string | null>(null);
  return (
    <>
      <nav class="trail" aria-label={t("Where you are")}><Link href="/owner">{t("For owners")}</Link> <span aria-hidden="true">›</span> <span>{t("Connect a gateway")}</span></nav>
      <h1>{t("Connect a gateway")}</h1>
      <ol class="steps-list">
        <li class={made ? "past" : "now-step"} aria-current={made ? undefined : "step"}><h2>{t("Name it")}</h2>{made ? <p>{t("{id} is registered.", { id: made.id })}</p> : <Name made={setMade} />}</li>
        <li class={!made ? "later" : sensor ? "past" : "now-step"} aria-current={made && !sensor ? "step" : undefined}><h2>{t("Give it its login, and describe a sensor")}</h2>
          {made && <><LoginShown mqtt={made.mqtt} />{sensor ? <p>{t("{id} is registered.", { id: sensor })}</p> : <NewSensor gateway={made.id} made={setSensor} />}</>}
        </li>
        <li class={sensor ? "now-step" : "later"} aria-current={sensor ? "step" : undefined}><h2>{t("Send a first message")}</h2>{made && sensor && <FirstMessage gateway={made.id} mqtt={made.mqtt} sensor={sensor} />}</li>
      </ol>
    </>
  );
}

function Name({ made }: { made: (made: { id: string; mqtt: Login }) => void }): JSX.Element {
  const [id, setId] = useState("");
  const [format, setFormat] = useState("json");
  return (
    <form class="form" onSubmit={(event) => event.preventDefault()}>
      <div class="row">
        <label><span>{t("Name")}</span><input value={id} pattern="[a-z0-9_\-]{1,63}" placeholder="roof-1" onInput={(event) => setId(event.currentTarget.value)} /><span class="hint">{t("Small letters, digits, - and _.")}</span></label>
        <label><span>{t("What it speaks")}</span><select value={format} onChange={(event) => setFormat(event.currentTarget.value)}>{Object.entries(FORMATS).map(([name, text]) => <option key={name} value={name}>{text}</option>)}</select></label>
      </div>
      <div class="actions"><Act does={async () => made(await call("POST", "/api/v1/gateways", { id, format }))} disabled={!/^[a-z0-9_-]{1,63}$/.test(id)}>{t("Register")}</Act></div>
    </form>
  );
}

export function NewSensor({ gateway, made }: { gateway: string; made: (id: string) => void }): JSX.Element {
  const [id, setId] = useState("");
  const [observed, setObserved] = useState("");
  const [unit, setUnit] = useState("");
  const [theme, setTheme] = useState("");
  const [place, setPlace] = useState("");
  const [kind, setKind] = useState<Datastream["kind"]>("measurement");
  const [latitude, longitude] = place.split(/[,\s]+/).map(Number);
  const located = Number.isFinite(latitude) && Number.isFinite(longitude) && place !== "";
  const register = async (): Promise<void> => {
    await call("POST", "/api/v1/datastreams", {
      id, gateway, kind,
      ...(observed ? { observed_property: observed } : {}), ...(unit ? { unit } : {}), ...(theme ? { theme } : {}),
      ...(located ? { location: { type: "Point", coordinates: [longitude, latitude] } } : {}),
    });
    made(id);
  };
  return (
    <form class="form" onSubmit={(event) => event.preventDefault()}>
      <div class="row">
        <label><span>{t("Name of the sensor")}</span><input value={id} placeholder="pm25" onInput={(event) => setId(event.currentTarget.value)} /></label>
        <label><span>{t("Kind")}</span><select value={kind} onChange={(event) => setKind(event.currentTarget.value as Datastream["kind"])}><option value="measurement">{kindName("measurement")}</option><option value="rfid">{kindName("rfid")}</option><option value="camera">{kindName("camera")}</option></select></label>
      </div>
      <div class="row">
        <label><span>{t("What it observes")}</span><input value={observed} placeholder="PM2.5" onInput={(event) => setObserved(event.currentTarget.value)} /></label>
        <label><span>{t("Unit")}</span><input value={unit} placeholder="ug/m3" onInput={(event) => setUnit(event.currentTarget.value)} /><span class="hint">{t("As UCUM writes it: Cel, ug/m3, %")}</span></label>
        <label><span>{t("Theme")}</span><input value={theme} placeholder="air" onInput={(event) => setTheme(event.currentTarget.value)} /></label>
      </div>
      <label><span>{t("Where it stands")}</span><input value={place} placeholder="45.7640, 4.8357" onInput={(event) => setPlace(event.currentTarget.value)} /><span class="hint">{t("Latitude, longitude; may be left out.")}</span></label>
      <div class="actions"><Act does={register} disabled={!/^[a-z0-9_-]{1,63}$/.test(id) || (place !== "" && !located)}>{t("Register the sensor")}</Act></div>
    </form>
  );
}

function useGateway(id: string): Gateway | null {
  const [gateway, set] = useState<Gateway | null>(null);
  useEffect(() => {
    const look = (): void => void gatewayOf(id).then(set, () => {});
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [id]);
  return gateway;
}

function FirstMessage({ gateway, mqtt, sensor }: { gateway: string; mqtt: Login; sensor: string }): JSX.Element {
  const heard = useGateway(gateway);
  const topic = (mqtt.topic ?? "").replace("{datastream}", sensor);
  const login = `-h ${mqtt.host} -p ${mqtt.port} -u ${mqtt.username} -P '${mqtt.password}' -i ${mqtt.client_id_prefix}1`;
  return (
    <div class="stack">
      <p>{t("From the gateway, or by hand to try it:")}</p>
      <Code of={[["mosquitto_pub", `mosquitto_pub -V 5 -q 1 ${login} \\\n  -t ${topic} -m '{"value": 21.5}'`], ["Python", `import asyncio, aiomqtt\n\n\nasync def main():\n    async with aiomqtt.Client(\n        "${mqtt.host}", ${mqtt.port}, username="${mqtt.username}",\n        password="${mqtt.password}", identifier="${mqtt.client_id_prefix}1",\n    ) as client:\n        await client.publish("${topic}", '{"value": 21.5}', qos=1)\n\n\nasyncio.run(main())`]]} />
      <div role="status">
        {heard && heard.accepted > 0 ? (
          <div class="done"><strong>{t("First message received.")}</strong><p>{t("The gateway works. Next, say who may have what it observes.")}</p><div class="actions"><Link class="button" href="/owner/offers/new">{t("Publish an offer")}</Link><Link class="button second" href={`/owner/gateways/${gateway}`}>{t("See the gateway")}</Link></div></div>
        ) : heard && heard.rejected > 0 ? (
          <div class="trouble"><strong>{t("Something came, and was refused.")}</strong><Rejections gateway={gateway} /></div>
        ) : <p class="waiting listening">{t("Waiting for the first message…")}</p>}
      </div>
    </div>
  );
}

export function GatewayPage({ id }: { id: string }): JSX.Element {
  const gateway = useGateway(id);
  const session = useSession();
  const now = useNow();
  const [sensors, again] = useLoading(async () => (await getAll<Datastream>("/api/v1/datastreams?limit=10000")).filter((one) => one.gateway === id), [id]);
  const [adding, setAdding] = useState(false);
  return (
    <>
      <nav class="trail" aria-label={t("Where you are")}><Link href="/owner">{t("For owners")}</Link> <span aria-hidden="true">›</span> <span>{id}</span></nav>
      <h1>{gateway?.name ?? id}</h1>
      {gateway && <p class="lead"><span class={gateway.state === "live" ? "live on" : "live"}>{gateway.state === "live" ? t("live") : gateway.last_seen ? t("silent") : t("never heard")}</span> {gateway.last_seen && t("last heard {age}", { age: age(gateway.last_seen, now) })} · {tn(gateway.accepted, "{n} record taken", "{n} records taken")} · {tn(gateway.rejected, "{n} refused", "{n} refused")}</p>}
      <section aria-labelledby="sensors">
        <div class="heading"><h2 id="sensors">{t("Sensors")}</h2>{!adding && <button type="button" class="button second" onClick={() => setAdding(true)}>{t("Describe a sensor")}</button>}</div>
        {adding && <NewSensor gateway={id} made={() => { setAdding(false); void again(); }} />}
        <Shown of={sensors}>
          {(found) => found.length ? <ul class="rows">{found.map((one) => <li key={one.id}><Link href={`/sensors/${session?.id ?? ""}/${one.id}`}><strong>{capital(t(one.observed_property ?? kindName(one.kind)))}</strong> <code>{one.id}</code> <span class="note">{unitName(one.unit)}</span></Link></li>)}</ul> : <Empty><p>{t("It carries nothing yet. Describe a sensor, or adopt a device below once it was heard.")}</p></Empty>}
        </Shown>
      </section>
      <Adopting gateway={id} adopted={again} />
      <section aria-labelledby="refused"><h2 id="refused">{t("Refused messages")}</h2><Rejections gateway={id} /></section>
    </>
  );
}

type Suggestion = { device: string; property: string; kind: string; value: string | number | boolean; unit: string | null; unit_known: boolean; last: string; name: string | null };

function Adopting({ gateway, adopted }: { gateway: string; adopted: () => Promise<void> }): JSX.Element {
  const [found, again] = useLoading(() => get<Suggestion[]>(`/api/v1/gateways/${gateway}/suggestions`), [gateway]);
  const adopt = async (device: string): Promise<void> => {
    await call("POST", `/api/v1/gateways/${gateway}/adopt`, { device });
    await Promise.all([again(), adopted()]);
  };
  return (
    <section aria-labelledby="adopt">
      <h2 id="adopt">{t("Devices that wait to be adopted")}</h2>
      <Shown of={found}>
        {(all) => {
          const devices = [...new Set(all.map((one) => one.device))];
          return devices.length ? devices.map((device) => (
            <article class="card" key={device}>
              <h3>{all.find((one) => one.device === device)?.name ?? (device || t("Device without a name"))}</h3>
              <ul class="plain">{all.filter((one) => one.device === device).map((one) => <li key={one.property}>{one.property}: <b>{String(one.value)}</b> {one.unit} {one.unit && !one.unit_known && <span class="badge badge-bad">{t("unknown unit")}</span>}</li>)}</ul>
              <div class="actions"><Act does={() => adopt(device)}>{t("Adopt it")}</Act></div>
            </article>
          )) : <Empty><p>{t("None. A device that speaks through this gateway and is not described yet appears here.")}</p><button type="button" class="link" onClick={() => void again()}>{t("Look again")}</button></Empty>;
        }}
      </Shown>
    </section>
  );
}

type Rejection = { time: string; topic: string; reason: string; payload: string; encoding?: string };

function Rejections({ gateway }: { gateway: string }): JSX.Element {
  const [found] = useLoading(() => get<Rejection[]>(`/api/v1/gateways/${gateway}/rejections`), [gateway]);
  return (
    <Shown of={found}>
      {(all) => all.length ? (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("Refused messages")}>
          <table>
            <thead><tr><th scope="col">{t("Time")}</th><th scope="col">{t("Why")}</th><th scope="col">{t("Topic")}</th><th scope="col">{t("What came")}</th></tr></thead>
            <tbody>{all.slice(0, 50).map((one) => <tr key={one.time + one.payload}><td>{moment(one.time)}</td><td>{one.reason}</td><td><code>{one.topic}</code></td><td><code>{one.encoding ? t("bytes") : one.payload.slice(0, 160)}</code></td></tr>)}</tbody>
          </table>
        </div>
      ) : <Empty><p>{t("Nothing was refused.")}</p></Empty>}
    </Shown>
  );
}
