// A consumer of a group that says what happens to it, as group_member.py.
//
//   member.js BOOTSTRAP GROUP TOPIC [key=value…]
'use strict';

const { Kafka, logLevel } = require('kafkajs');

const say = (...what) => console.log(JSON.stringify(what));

async function main([bootstrap, group, topic, ...more]) {
  const settings = Object.fromEntries(more.map((each) => each.split('=', 2)));
  const kafka = new Kafka({
    clientId: 'kafkajs-member',
    brokers: bootstrap.split(','),
    logLevel: logLevel.ERROR,
  });
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: Number(settings['session.timeout.ms']),
    heartbeatInterval: Number(settings['heartbeat.interval.ms']),
    maxWaitTimeInMs: 200,
    // A member that was killed is waited for no longer than its session.
    rebalanceTimeout: 10000,
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
    say('assigned', ...(payload.memberAssignment[topic] || [])));
  process.once('SIGINT', async () => {
    await consumer.disconnect();
    process.exit(0);
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { offset, value } of batch.messages) {
        say('read', batch.partition, Number(offset), value.toString());
      }
      // Thrown while the group rebalances: kafkajs then joins, and reads these again.
      const next = Number(batch.lastOffset()) + 1;
      await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(next) }]);
      say('committed', batch.partition, next);
    },
  });
}

main(process.argv.slice(2)).catch((failure) => {
  console.error(failure);
  process.exit(1);
});
