// Ordinary work done with dockerode, one function a scenario.
//
//   node dockerode.js SOCKET MODULES SCENARIO
//
// MODULES is the directory that holds node_modules. Exit status 0: the scenario went as it does with Docker.
"use strict";
const assert = require("node:assert");
const path = require("node:path");
const { PassThrough } = require("node:stream");

const [socketPath, modules, name] = process.argv.slice(2);
const load = (module) => require(path.join(modules, "node_modules", module));
const Docker = load("dockerode");
const tar = load("tar-stream");
const docker = new Docker({ socketPath });
const IMAGE = "busybox";

async function text(stream) {
  let out = "";
  for await (const chunk of stream) out += chunk.toString();
  return out;
}

// Both halves of a multiplexed stream, once it has ended.
async function demux(stream) {
  const out = new PassThrough();
  const err = new PassThrough();
  docker.modem.demuxStream(stream, out, err);
  stream.on("end", () => { out.end(); err.end(); });
  return Promise.all([text(out), text(err)]);
}

function readPacked(stream) {
  return new Promise((resolve, reject) => {
    const found = {};
    const extract = tar.extract();
    extract.on("entry", (header, body, next) => {
      text(body).then((content) => { found[header.name] = content; next(); }, reject);
    });
    extract.on("finish", () => resolve(found));
    extract.on("error", reject);
    stream.pipe(extract);
  });
}

function pack(files) {
  const out = tar.pack();
  for (const [file, content] of Object.entries(files)) out.entry({ name: file }, content);
  out.finalize();
  return out;
}

async function sleeper(more = {}) {
  const container = await docker.createContainer({ Image: IMAGE, Cmd: ["sleep", "1000"], ...more });
  await container.start();
  return container;
}

async function fails(promise, status, words) {
  await assert.rejects(promise, (error) => {
    assert.strictEqual(error.statusCode, status, error.message);
    assert.match(error.message, words);
    return true;
  });
}

const scenarios = {
  async system() {
    assert.strictEqual((await docker.ping()).toString(), "OK");
    assert.ok((await docker.version()).ApiVersion);
    assert.ok((await docker.info()).NCPU > 0);
    assert.ok(Array.isArray((await docker.df()).Images));
  },

  async run() {
    const output = new PassThrough();
    const errors = new PassThrough();
    const read = Promise.all([text(output), text(errors)]);
    const [result, container] = await docker.run(IMAGE, ["sh", "-c", "echo out; echo err >&2; exit 3"], [output, errors], { Tty: false });
    assert.strictEqual(result.StatusCode, 3);
    assert.deepStrictEqual(await read, ["out\n", "err\n"]);
    await container.remove();
    const screen = new PassThrough();
    const seen = text(screen);
    const [, terminal] = await docker.run(IMAGE, ["sh", "-c", "tty; echo done"], screen, { HostConfig: { AutoRemove: true } });
    assert.strictEqual(await seen, "/dev/pts/0\r\ndone\r\n");
    assert.ok(terminal.id);
  },

  async attach() {
    const container = await docker.createContainer({ Image: IMAGE, Cmd: ["cat"], OpenStdin: true, StdinOnce: true });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    await container.start();
    const read = demux(stream);
    stream.write("first\n");
    stream.end("last\n");
    assert.deepStrictEqual(await read, ["first\nlast\n", ""]);
    assert.strictEqual((await container.wait()).StatusCode, 0);
    await container.remove();
  },

  async exec() {
    const container = await sleeper();
    const exec = await container.exec({ Cmd: ["sh", "-c", "cat; echo $WHO >&2; exit 5"], Env: ["WHO=me"], AttachStdin: true, AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    const read = demux(stream);
    stream.end("through\n");
    assert.deepStrictEqual(await read, ["through\n", "me\n"]);
    const state = await exec.inspect();
    assert.deepStrictEqual([state.ExitCode, state.Running], [5, false]);
    const terminal = await container.exec({ Cmd: ["sh", "-c", "read x; stty size; echo $x"], Tty: true, AttachStdin: true, AttachStdout: true });
    const screen = await terminal.start({ hijack: true, stdin: true, Tty: true });
    await terminal.resize({ h: 30, w: 90 });
    screen.write("go\n");
    assert.match(await text(screen), /30 90\r\ngo\r\n$/);
    const wrong = await container.exec({ Cmd: ["no-such"], AttachStdout: true });
    assert.match(await text(await wrong.start({})), /"no-such": executable file not found/);
    assert.strictEqual((await wrong.inspect()).ExitCode, 127);
    await container.remove({ force: true });
  },

  async lifecycle() {
    const container = await sleeper({ name: "node-life", Labels: { from: "dockerode" } });
    await fails(docker.createContainer({ Image: IMAGE, name: "node-life" }), 409, /node-life/);
    await fails(container.start(), 304, /304/);
    await container.pause();
    assert.strictEqual((await container.inspect()).State.Status, "paused");
    await container.unpause();
    await container.rename({ name: "node-after" });
    await container.update({ CpuShares: 300 });
    const inspected = await container.inspect();
    assert.deepStrictEqual([inspected.Name, inspected.HostConfig.CpuShares], ["/node-after", 300]);
    assert.match((await container.top()).Processes.flat().join(" "), /sleep 1000/);
    const rows = await docker.listContainers({ filters: { label: ["from=dockerode"] } });
    assert.deepStrictEqual(rows.map((row) => row.Id), [container.id]);
    await container.restart({ t: 0 });
    const waiting = container.wait({ condition: "next-exit" });
    await container.kill({ signal: "SIGKILL" });
    assert.strictEqual((await waiting).StatusCode, 137);
    await container.remove();
    await fails(container.inspect(), 404, /No such container/);
  },

  async logs() {
    const container = await docker.createContainer({ Image: IMAGE, Cmd: ["sh", "-c", "for i in 1 2 3; do echo line $i; done"] });
    await container.start();
    const followed = demux(await container.logs({ follow: true, stdout: true, stderr: true }));
    assert.deepStrictEqual(await followed, ["line 1\nline 2\nline 3\n", ""]);
    const tail = await container.logs({ stdout: true, tail: 1, timestamps: true });
    assert.match(tail.subarray(8).toString(), /^\d{4}-\d\d-\d\dT\S+Z line 3\n$/);
    await container.remove();
  },

  async stats() {
    const container = await sleeper({ HostConfig: { Memory: 64 << 20 } });
    const sample = await container.stats({ stream: false });
    assert.strictEqual(sample.memory_stats.limit, 64 << 20);
    const stream = await container.stats({ stream: true });
    const first = JSON.parse((await new Promise((resolve) => stream.once("data", resolve))).toString());
    assert.strictEqual(first.id, container.id);
    stream.destroy();
    await container.remove({ force: true });
  },

  async archive() {
    const container = await docker.createContainer({ Image: IMAGE });
    await container.putArchive(pack({ "note.txt": "hello", "other.txt": "there" }), { path: "/root" });
    const files = await readPacked(await container.getArchive({ path: "/root/." }));
    assert.strictEqual(files["./note.txt"] ?? files["note.txt"], "hello");
    const info = await container.infoArchive({ path: "/root/note.txt" });
    info.resume();
    assert.ok(info.headers["x-docker-container-path-stat"]);
    const changes = await container.changes();
    assert.ok(changes.some((change) => change.Path === "/root/note.txt" && change.Kind === 1));
    const exported = await readPacked(await container.export());
    assert.strictEqual(exported["root/other.txt"], "there");
    await container.remove();
  },

  async images() {
    const container = await docker.createContainer({ Image: IMAGE });
    await container.putArchive(pack({ "mark": "committed" }), { path: "/root" });
    const made = await container.commit({ repo: "node-made", tag: "1", comment: "by a test" });
    const image = docker.getImage("node-made:1");
    assert.strictEqual((await image.inspect()).Id, made.Id);
    assert.ok((await image.history()).length >= 1);
    await image.tag({ repo: "node-made", tag: "2" });
    const saved = await readPacked(await image.get());
    assert.ok(saved["manifest.json"]);
    const built = await docker.buildImage(pack({ Dockerfile: "FROM node-made:1\nRUN cat /root/mark > /copy\nCMD [\"cat\", \"/copy\"]\n" }), { t: "node-built" });
    const progress = await new Promise((resolve, reject) => docker.modem.followProgress(built, (error, lines) => (error ? reject(error) : resolve(lines))));
    assert.ok(progress.length > 2);
    const output = new PassThrough();
    const read = text(output);
    const [, ran] = await docker.run("node-built", [], [output, new PassThrough()], { Tty: false, Cmd: undefined });
    assert.strictEqual(await read, "committed");
    await Promise.all([ran.remove(), container.remove()]);
    for (const tag of ["node-built", "node-made:1", "node-made:2"]) await docker.getImage(tag).remove();
    await fails(docker.getImage("node-made:1").inspect(), 404, /No such image/);
  },

  async networks_and_volumes() {
    const volume = await docker.createVolume({ Name: "node-volume", Labels: { a: "b" } });
    const network = await docker.createNetwork({ Name: "node-network", Internal: true });
    const holder = await sleeper({ name: "node-one", HostConfig: { Binds: ["node-volume:/v"], NetworkMode: "node-network" } });
    const other = await sleeper({ name: "node-two" });
    await network.connect({ Container: other.id, EndpointConfig: { Aliases: ["second"] } });
    const inspected = await network.inspect();
    assert.deepStrictEqual(Object.values(inspected.Containers).map((row) => row.Name).sort(), ["node-one", "node-two"]);
    await fails(docker.getVolume("node-volume").remove(), 409, /in use/);
    await network.disconnect({ Container: other.id });
    await Promise.all([holder.remove({ force: true }), other.remove({ force: true })]);
    await network.remove();
    await docker.getVolume(volume.name ?? "node-volume").remove();
    const volumes = (await docker.listVolumes()).Volumes ?? [];
    assert.ok(!volumes.some((row) => row.Name === "node-volume"));
  },

  async events() {
    const stream = await docker.getEvents({ filters: { type: ["container"], container: ["node-event"] } });
    const seen = [];
    const ended = new Promise((resolve) => {
      stream.on("data", (chunk) => {
        for (const line of chunk.toString().split("\n").filter(Boolean)) seen.push(JSON.parse(line).Action);
        if (seen.includes("destroy")) resolve();
      });
    });
    const container = await sleeper({ name: "node-event" });
    await container.remove({ force: true });
    await ended;
    stream.destroy();
    assert.deepStrictEqual(seen, ["create", "start", "kill", "die", "destroy"]);
  },

  async prune() {
    await docker.createContainer({ Image: IMAGE, Labels: { prune: "me" } });
    const pruned = await docker.pruneContainers({ filters: { label: ["prune=me"] } });
    assert.strictEqual(pruned.ContainersDeleted.length, 1);
  },
};

if (!scenarios[name]) throw new Error(`no scenario "${name}": ${Object.keys(scenarios).join(" ")}`);
scenarios[name]().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
