/** Every call of the HTTP interface, as its description (/openapi.json) has it. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { get } from "../api";
import { Code } from "../code";
import { Empty, Shown, useLoading } from "../loading";
import { t } from "../words";

type Schema = { $ref?: string; type?: string; examples?: unknown[]; description?: string; properties?: Record<string, Schema>; required?: string[]; items?: Schema; anyOf?: Schema[]; enum?: string[]; const?: unknown };
type Parameter = { name: string; in: string; required?: boolean; description?: string; schema: Schema };
type Operation = {
  description?: string; tags?: string[]; parameters?: Parameter[]; security?: unknown[];
  requestBody?: { content: Record<string, { schema: Schema }> }; responses: Record<string, { description: string; content?: Record<string, { schema?: Schema }> }>;
};
type Description = { info: { version: string }; paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, Schema> } };
type Call = { method: string; path: string; of: Operation };

export function ReferencePage(): JSX.Element {
  const [description] = useLoading(() => get<Description>("/openapi.json"), []);
  const [wanted, want] = useState("");
  return (
    <div class="column wide">
      <h1>{t("Reference")}</h1>
      <p class="lead">{t("Every call over HTTP. Keys are sent as “Authorization: Bearer KEY”; errors are problem details in words.")}</p>
      <Shown of={description}>
        {(found) => {
          const calls = Object.entries(found.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, of]): Call => ({ method, path, of })));
          const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
          const matching = calls.filter(({ method, path, of }) => words.every((word) => `${method} ${path} ${of.description ?? ""}`.toLowerCase().includes(word)));
          const tags = [...new Set(matching.map(({ of }) => of.tags?.[0] ?? "other"))];
          return (
            <>
              <label class="find"><span>{t("Find a call")}</span><input type="search" value={wanted} placeholder="ledger, POST offers…" onInput={(event) => want(event.currentTarget.value)} /></label>
              {!matching.length && <Empty><p>{t("Nothing matches.")}</p></Empty>}
              {tags.map((tag) => (
                <section key={tag} aria-labelledby={`tag-${tag}`}>
                  <h2 id={`tag-${tag}`}>{tag}</h2>
                  {matching.filter(({ of }) => (of.tags?.[0] ?? "other") === tag).map((call) => <CallShown key={call.method + call.path} call={call} schemas={found.components.schemas} />)}
                </section>
              ))}
            </>
          );
        }}
      </Shown>
    </div>
  );
}

function CallShown({ call: { method, path, of }, schemas }: { call: Call; schemas: Record<string, Schema> }): JSX.Element {
  const body = Object.values(of.requestBody?.content ?? {})[0]?.schema;
  const example = body && resolved(body, schemas).examples?.[0];
  const curl = `curl -f${of.security ? ` -H "Authorization: Bearer $KEY"` : ""}${method === "get" ? "" : ` -X ${method.toUpperCase()}`}${example ? ` --json '${JSON.stringify(example)}'` : ""} '${location.origin}${path}'`;
  return (
    <details class="call">
      <summary><code class={`method ${method}`}>{method.toUpperCase()}</code> <code>{path}</code> <span>{of.description?.split("\n")[0]}</span></summary>
      <div class="stack">
        <p>{of.description}</p>
        {!!of.parameters?.length && (
          <dl class="facts">{of.parameters.map((one) => <><dt key={one.name}><code>{one.name}</code> {one.required && "*"}</dt><dd>{[one.description, typeOf(one.schema, schemas), one.schema.examples?.[0] !== undefined && `${JSON.stringify(one.schema.examples[0])}`].filter(Boolean).join(" · ")}</dd></>)}</dl>
        )}
        {body && <><h3>{t("What is sent")}</h3><Fields of={resolved(body, schemas)} schemas={schemas} /></>}
        <Code of={[["curl", curl]]} />
        <h3>{t("What is answered")}</h3>
        <dl class="facts">{Object.entries(of.responses).sort().map(([status, one]) => <><dt key={status}><code>{status}</code></dt><dd>{one.description}{answer(one, schemas)}</dd></>)}</dl>
      </div>
    </details>
  );
}

function Fields({ of, schemas }: { of: Schema; schemas: Record<string, Schema> }): JSX.Element {
  return <dl class="facts">{Object.entries(of.properties ?? {}).map(([name, one]) => <><dt key={name}><code>{name}</code> {of.required?.includes(name) && "*"}</dt><dd>{[typeOf(one, schemas), one.description].filter(Boolean).join(" · ")}</dd></>)}</dl>;
}

const resolved = (schema: Schema, schemas: Record<string, Schema>): Schema => (schema.$ref ? (schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {}) : schema);

function typeOf(schema: Schema, schemas: Record<string, Schema>): string {
  if (schema.$ref) return schema.$ref.split("/").at(-1) ?? "";
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, schemas)).join(" | ");
  if (schema.enum) return schema.enum.map((one) => `“${one}”`).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `${t("list of")} ${schema.items ? typeOf(schema.items, schemas) : "…"}`;
  return schema.type ?? "JSON";
}

function answer(one: { content?: Record<string, { schema?: Schema }> }, schemas: Record<string, Schema>): string {
  const schema = Object.values(one.content ?? {})[0]?.schema;
  if (!schema || schema.$ref?.endsWith("/Problem")) return "";
  const shape = resolved(schema.items ?? schema, schemas);
  const names = Object.keys(shape.properties ?? {});
  return names.length ? `: ${schema.items ? `${t("list of")} ` : ""}{${names.join(", ")}}` : "";
}
