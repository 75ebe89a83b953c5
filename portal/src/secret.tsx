/** What is shown once: a key, a password. */
import type { JSX } from "preact";
import { Copy } from "./code";
import { t } from "./words";

export function Secret({ name, value }: { name: string; value: string }): JSX.Element {
  return (
    <div class="secret">
      <p><strong>{name}</strong> {t("is shown this once: keep it now, as you keep a password.")}</p>
      <div class="secret-value"><code>{value}</code><Copy text={value} /></div>
    </div>
  );
}

export type Login = { host: string; port: number; username: string; password: string; client_id_prefix: string; topic?: string; will_topic?: string };

/** How something logs in over MQTT. The password is there only when it was just made. */
export function LoginShown({ mqtt }: { mqtt: Login }): JSX.Element {
  const rows: [string, string][] = [
    [t("Host"), mqtt.host], [t("Port"), String(mqtt.port)], [t("User name"), mqtt.username], [t("Password"), mqtt.password], [t("Client ids begin with"), mqtt.client_id_prefix],
    ...(mqtt.topic ? [[t("Topic"), mqtt.topic] as [string, string]] : []),
  ];
  return (
    <div class="secret">
      <p><strong>{t("How it logs in over MQTT")}</strong> {t("The password is shown this once.")}</p>
      <dl class="facts">{rows.map(([name, value]) => <><dt key={name}>{name}</dt><dd><code>{value}</code></dd></>)}</dl>
      <Copy text={JSON.stringify(mqtt, null, 2)} />
    </div>
  );
}
