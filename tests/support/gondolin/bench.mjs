// What bench/runtime.py measures of our host, measured of Gondolin's: prints one JSON object.
//
// arguments: IMAGE-FOLDER SIZE-BYTES RUNS

import { VM } from "@earendil-works/gondolin";

const [image, size, runs] = process.argv.slice(-3);
const bytes = Number(size);
const timed = async (action) => {
  const start = performance.now();
  await action();
  return (performance.now() - start) / 1000;
};

let vm;
const found = {};
found.boot_s = await timed(async () => {
  vm = await VM.create({ sandbox: { imagePath: image }, startTimeoutMs: 300_000 });
  await vm.exec(["/bin/true"]);
});
found.true_s = [];
for (let n = 0; n < Number(runs); n++) found.true_s.push(await timed(() => vm.exec(["/bin/true"])));
await vm.exec(["/bin/sh", "-c", `head -c ${bytes} /dev/zero > /tmp/large; cat /tmp/large > /dev/null`]);
found.cat_s = await timed(async () => {
  let received = 0;
  const command = vm.exec(["/bin/cat", "/tmp/large"], { stdout: "pipe" });
  for await (const chunk of command.stdout) received += chunk.length;
  await command;
  if (received !== bytes) throw new Error(`${received} of ${bytes} bytes`);
});
const content = Buffer.alloc(bytes);
found.upload_s = await timed(() => vm.fs.writeFile("/tmp/upload", content));
await vm.close();
console.log(JSON.stringify(found));
process.exit(0);
