// A session of a program that was written for Gondolin: everything its VM offers, once.
// Prints one JSON object: what each step found.
//
// arguments: IMAGE-FOLDER SCRATCH-FOLDER; the scratch folder's `shared` is mounted at /work

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { RealFSProvider, ReadonlyProvider, VM, VmCheckpoint } from "@earendil-works/gondolin";

const [image, scratch] = process.argv.slice(-2);
const startTimeoutMs = 120_000;
const found = {};

const plain = ({ exitCode, signal, stdout, stderr }) => ({ exitCode, signal, stdout, stderr });

async function commands(vm) {
  found.streams = plain(await vm.exec("echo out; echo err >&2; exit 3"));
  found.words = plain(await vm.exec(["/usr/bin/printf", "%s|", "a b", "$HOME", "*"]));
  found.stdin = plain(await vm.exec(["/bin/cat"], { stdin: "from the host\n" }));
  found.place = plain(await vm.exec(["/bin/sh", "-c", 'pwd; echo "$GREETING"'], {
    cwd: "/etc", env: { GREETING: "hi there" },
  }));
  found.signal = plain(await vm.exec(["/bin/sh", "-c", "kill -9 $$"]));
  found.environment = (await vm.exec(["/bin/cat", "/proc/self/environ"])).stdout;
  const large = await vm.exec("head -c 3000000 /dev/zero | tr '\\0' x");
  found.large = large.stdout.length;
  const many = Array.from({ length: 40 }, (_, n) => vm.exec(`sleep 0.1; echo ${n}`));
  found.many = (await Promise.all(many)).map((result) => result.stdout.trim());
}

async function files(vm) {
  const place = "/root/a file";
  await vm.fs.writeFile(place, "content");
  found.file = String(await vm.fs.readFile(place));
  await vm.fs.deleteFile(place);
  found.deleted = (await vm.exec(["/usr/bin/test", "-e", place])).exitCode;
  found.share = plain(await vm.exec(`cd /work && cat from-host && echo written > from-guest &&
    mkdir -p a/b && mv from-guest a/b/moved && ln -s a/b/moved link && cat link &&
    head -c 3000000 /dev/zero > large && stat -c %s large && rm -r a`));
  found.readonlyShare = plain(await vm.exec("cat /fixed/from-host; echo x > /fixed/new"));
}

async function network(vm) {
  found.authority = plain(await vm.exec('grep -c BEGIN "$SSL_CERT_FILE"; cat /etc/resolv.conf'));
  const ssh = await vm.enableSsh();
  const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
  const login = await promisify(execFile)("ssh", [
    "-i", ssh.identityFile, "-p", String(ssh.port), ...options.flatMap((o) => ["-o", o]),
    `${ssh.user}@${ssh.host}`, "echo over ssh",
  ], { timeout: 60_000 });
  found.ssh = login.stdout;
  await ssh.close();

  const server = `use IO::Socket::INET;
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8080, Listen => 5) or die;
    $| = 1; print "listening\n";
    my $c = $s->accept; while (<$c>) { last if /^\\r?\\n$/ }
    print $c "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nhi";`;
  const serving = vm.exec(["/usr/bin/perl", "-e", server], { stdout: "pipe" });
  for await (const _ of serving.stdout) break;
  vm.setIngressRoutes([{ prefix: "/", port: 8080, stripPrefix: true }]);
  const ingress = await vm.enableIngress();
  const answer = await fetch(ingress.url, { signal: AbortSignal.timeout(60_000) });
  found.ingress = [answer.status, await answer.text()];
  await ingress.close();
}

async function checkpoint(vm) {
  const disk = await vm.exec(["/bin/sh", "-c", "df -k / | tail -n 1"]);
  found.rootKilobytes = Number(disk.stdout.split(/\s+/)[1]);
  await vm.exec("echo kept > /root/kept");
  const file = path.join(scratch, "checkpoint.qcow2");
  await vm.checkpoint(file);
  const again = await VmCheckpoint.load(file).resume({ startTimeoutMs });
  try {
    found.resumed = plain(await again.exec(["/bin/cat", "/root/kept"]));
  } finally {
    await again.close();
  }
}

const shared = path.join(scratch, "shared");
const vm = await VM.create({
  sandbox: { imagePath: image },
  rootfs: { size: "2G" },
  vfs: {
    mounts: {
      "/work": new RealFSProvider(shared),
      "/fixed": new ReadonlyProvider(new RealFSProvider(shared)),
    },
  },
  startTimeoutMs,
});
try {
  for (const part of [commands, files, network, checkpoint]) await part(vm);
} finally {
  await vm.close();
}
console.log(JSON.stringify(found));
process.exit(0);
