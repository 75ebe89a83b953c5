/** Cameras: the released picture, faces and plates covered, with its age. Never a raw one: the broker has none to give. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { problem, type Problem } from "../api";
import { useNow } from "../clock";
import { directory, pathOf, type Stream } from "../directory";
import { age, moment } from "../format";
import { listen } from "../live";
import { asProblem, Empty, Shown, Trouble, useLoading } from "../loading";
import { organisationNames } from "../record";
import { Link } from "../router";
import { t } from "../words";

export function CamerasPage(): JSX.Element {
  const [found] = useLoading(async () => {
    const names = await organisationNames();
    return { names, cameras: (await directory(names)).filter((one) => one.kind === "camera") };
  }, []);
  return (
    <div class="column wide">
      <h1>{t("Cameras")}</h1>
      <p class="lead">{t("Faces and number plates are covered before a picture leaves. No raw picture is ever written to a disk; what could not be looked at is not shown.")}</p>
      <Shown of={found}>
        {({ cameras, names }) => cameras.length ? (
          <div class="cards pictures">{cameras.map((one) => <Camera key={pathOf(one)} one={one} owner={names.get(one.organisation) ?? one.organisation} />)}</div>
        ) : <Empty><p>{t("No camera is registered here.")}</p><p>{t("An owner connects one like any gateway: `mitoyen gateway` takes its pictures and sends them on.")}</p><Link class="button second" href="/owner">{t("For owners")}</Link></Empty>}
      </Shown>
    </div>
  );
}

function Camera({ one, owner }: { one: Stream; owner: string }): JSX.Element {
  return (
    <article class="card camera">
      {one.release ? <Picture release={one.release} name={one.datastream} /> : <p class="no-picture">{one.offers ? t("Shown by agreement.") : t("Closed. {why}", { why: one.closed ?? "" })}</p>}
      <h2><Link href={pathOf(one)}>{one.datastream}</Link></h2>
      <p class="note">{owner}{one.licences && ` · ${one.licences.join(", ")}`}</p>
    </article>
  );
}

/** The last picture of a release, fetched again whenever a new one is told of. */
export function Picture({ release, name }: { release: string; name: string }): JSX.Element {
  const [picture, setPicture] = useState<{ url: string; time: string } | null>(null);
  const [failed, setFailed] = useState<Problem | null>(null);
  const now = useNow(1_000);
  useEffect(() => {
    let url = "";
    let over = false;
    const look = async (): Promise<void> => {
      try {
        const answer = await fetch(`/api/v1/releases/${release}/latest`, { cache: "no-store" });
        if (!answer.ok) throw await problem(answer);
        const next = URL.createObjectURL(await answer.blob());
        if (over) return URL.revokeObjectURL(next);
        URL.revokeObjectURL(url);
        url = next;
        setFailed(null);
        setPicture({ url, time: answer.headers.get("Mitoyen-Time") ?? new Date().toISOString() });
      } catch (error) {
        setFailed(asProblem(error));
      }
    };
    void look();
    const stop = listen([release], () => void look());
    return () => {
      over = true;
      stop();
      URL.revokeObjectURL(url);
    };
  }, [release]);
  if (failed && !picture) return failed.status === 404 ? <p class="no-picture">{t("Nothing was released yet.")}</p> : <Trouble problem={failed} />;
  if (!picture) return <p class="no-picture" role="status">{t("One moment…")}</p>;
  return (
    <figure>
      <img src={picture.url} alt={t("The last picture of {name}, faces and number plates covered", { name })} />
      <figcaption><time dateTime={picture.time} title={moment(picture.time)}>{age(picture.time, now)}</time></figcaption>
    </figure>
  );
}
