// See scripts/exercise: two people chat over both transports, and others do what they may not.
'use strict';

const assert = require('node:assert');
const { io } = require('socket.io-client');

const { REALTIME_URL: url, CUSTOMER, STAFF } = process.env;

const once = (socket, event) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`no ${event}`)), 30000);
  socket.once(event, (data) => { clearTimeout(timer); resolve(data); });
});

async function connect(token, transports) {
  const socket = io(`${url}/realtime`, { auth: { token }, transports, forceNew: true, reconnection: false });
  await once(socket, 'connected');
  return socket;
}

async function chat(transports) {
  const customer = await connect(CUSTOMER, transports);
  const staff = await connect(STAFF, transports);
  const ask = (socket, event, data) => socket.timeout(30000).emitWithAck(event, data);
  const room = await ask(customer, 'chat:join-room', { businessId: 'exercise', userName: 'Zoe' });
  assert.ok(room.success, JSON.stringify(room));
  assert.ok((await ask(staff, 'chat:join-room', { roomId: room.roomId })).success);
  for (let i = 0; i < 20; i += 1) {
    const heard = once(staff, 'chat:new-message');
    const answer = await ask(customer, 'chat:send-message', { roomId: room.roomId, content: `message ${i} ✓` });
    assert.ok(answer.success, JSON.stringify(answer));
    await heard;
  }
  const typing = once(customer, 'chat:user-typing');
  staff.emit('chat:typing', { roomId: room.roomId, isTyping: true });
  await typing;
  assert.ok((await ask(staff, 'chat:read-messages', { roomId: room.roomId })).success);
  const refused = await ask(customer, 'chat:send-message', { roomId: room.roomId, content: '   ' });
  assert.equal(refused.code, 'INVALID');
  customer.disconnect();
  staff.disconnect();
  return room.roomId;
}

async function rest(roomId) {
  const get = async (path, token, body) => {
    const response = await fetch(`${url}${path}`, {
      method: body ? 'POST' : 'GET', body,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    });
    await response.text();
    return response.status;
  };
  assert.equal(await get('/api/chat/rooms', STAFF), 200);
  assert.equal(await get(`/api/chat/rooms/${roomId}/messages`, CUSTOMER), 200);
  assert.equal(await get(`/api/chat/rooms/${roomId}/messages`, STAFF, '{"content":"by REST"}'), 201);
  assert.equal(await get('/api/chat/rooms', 'not.a.token'), 401);
  assert.equal(await get(`/api/chat/rooms/${roomId}/messages`, STAFF, '{"content":'), 400);
  assert.equal(await get('/api/chat/nowhere', STAFF), 404);
}

async function refusedToken() {
  const socket = io(`${url}/realtime`, { auth: { token: 'x' }, forceNew: true, reconnection: false });
  await once(socket, 'error');
  socket.disconnect();
}

async function main() {
  const roomId = await chat(['websocket']);
  await chat(['polling']);
  await chat(undefined);
  await rest(roomId);
  await refusedToken();
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
