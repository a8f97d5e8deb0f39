'use strict';

/* Makes a fresh mongod on this machine a replica set of one: `node replica-set.js PORT`. Ends when
 * it takes writes. */

const { mongo } = require('mongoose');

async function main(port) {
  const client = new mongo.MongoClient(`mongodb://127.0.0.1:${port}/`, { directConnection: true });
  const admin = client.db('admin');

  await admin.command({ replSetInitiate: { _id: 'rs',
    members: [{ _id: 0, host: `127.0.0.1:${port}` }] } });

  while (!(await admin.command({ hello: 1 })).isWritablePrimary) {
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }

  await client.close();
}

main(Number(process.argv[2])).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
