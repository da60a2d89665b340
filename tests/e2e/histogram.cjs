// The histogram and hdr-histogram-js, given the same random values: the same percentiles, to the last digit.
// `node histogram.cjs TOOL`, with NODE_PATH where the package is; DROVER_TEST_SEED repeats a run.
const { spawnSync } = require('node:child_process');
const hdr = require('hdr-histogram-js');

const seed = BigInt(process.env.DROVER_TEST_SEED ?? Date.now());
console.log(`histogram: seed ${seed}`);
let state = seed;
const below = (bound) => {
  state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
  return Number((state >> 11n) % BigInt(bound));
};

const PERCENTS = [0, 0.1, 1, 10, 25, 50, 66.6, 75, 90, 95, 99, 99.9, 99.99, 100];
const KINDS = [
  (highest) => Math.floor(2 ** (below(1e6) / 1e6 * Math.log2(highest))), // every magnitude alike
  (highest) => below(highest) + 1,
  (highest) => below(100) ? 50000 + below(20000) : below(highest) + 1, // with a tail
  () => below(7) * 1000,
];

let compared = 0;
for (let round = 0; round < 24; round++) {
  const digits = 1 + round % 5;
  const highest = [60e9, 3600e6, 1e6][round % 3]; // a minute in nanoseconds; an hour in microseconds
  const count = 1 + below(round % 4 ? 3000 : 40);
  const values = Array.from({ length: count }, () => Math.min(KINDS[round % 4](highest), highest));
  const theirs = hdr.build({ bitBucketSize: 64, lowestDiscernibleValue: 1, highestTrackableValue: highest, numberOfSignificantValueDigits: digits });
  for (const value of values) theirs.recordValue(value);

  const run = spawnSync(process.argv[2], [highest, digits, ...PERCENTS].map(String), { input: values.join('\n'), encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the tool ended with ${run.status}: ${run.stderr}`);
  const lines = run.stdout.trim().split('\n');
  const max = Math.max(...values);
  PERCENTS.forEach((percent, i) => {
    // theirs is the last value of the place, also above the greatest one; of 0 % it is the first
    const last = theirs.highestEquivalentValue(theirs.getValueAtPercentile(percent));
    const expected = Math.min(last, max);
    if (Number(lines[i]) !== expected)
      throw new Error(`round ${round}, ${count} values, ${digits} digits: p${percent} is ${lines[i]}, theirs ${expected}`);
    compared++;
  });
  const [ours, least, greatest, mean] = lines.at(-1).split(' ').map(Number);
  if (ours !== count || least !== Math.min(...values) || greatest !== max) throw new Error(`round ${round}: ${lines.at(-1)}`);
  if (Math.abs(mean - theirs.mean) > theirs.mean * 10 ** -digits + 1) throw new Error(`round ${round}: mean ${mean}, theirs ${theirs.mean}`);
}
console.log(`histogram: ${compared} percentiles are those of hdr-histogram-js`);
