'use strict';

/* The peer: the same chat by socket.io 4.8 as its documentation shows it, one Node process.
 *
 * It does what the measured part of the protocol needs: a token verified at CONNECT, `connected`,
 * joining a room, a message broadcast to the room and acknowledged. Messages have the same fields
 * as ours. They are kept nowhere, so it has less to do than ours, which stores each before the
 * acknowledgement. */

const { createServer } = require('node:http');
const { randomBytes } = require('node:crypto');
const jwt = require('jsonwebtoken');
const { Server } = require('socket.io');

const secret = process.env.JWT_SECRET;
const port = Number(process.env.PORT);

if (!secret || !port) {
  console.error('JWT_SECRET and PORT are needed');
  process.exit(2);
}

const server = createServer();
const io = new Server(server, { cors: { origin: '*' } });
const rooms = new Map();

function id() {
  return randomBytes(12).toString('hex');
}

function join(socket, data, ack) {
  let roomId = data.roomId;

  if (!roomId) {
    roomId = id();
    rooms.set(roomId, { seq: 0, businessId: data.businessId });
  }

  const room = rooms.get(roomId);

  if (!room) {
    ack({ success: false, error: 'no such room', code: 'NOT_FOUND' });
    return;
  }

  socket.join(roomId);
  ack({ success: true, message: 'Joined room', roomId, messages: [], hasMore: false,
    lastSeq: room.seq });
}

function send(socket, data, ack) {
  const room = rooms.get(data.roomId);
  const { userId, role, name } = socket.data.identity;

  if (!room || !socket.rooms.has(data.roomId) || typeof data.content !== 'string') {
    ack({ success: false, error: 'not in this room', code: 'FORBIDDEN' });
    return;
  }

  const messageId = id();
  const now = new Date().toISOString();
  const message = {
    _id: messageId, id: messageId, roomId: data.roomId, businessId: room.businessId,
    seq: ++room.seq, senderId: userId, senderType: role === 'CUSTOMER' ? 'customer' : 'staff',
    senderName: name, messageType: 'text', content: data.content, attachments: [],
    replyToMessageId: null, clientMessageId: null, isRead: false, readAt: null,
    isAutomated: false, isFAQ: false, faqId: null, quickReplies: [], isEdited: false,
    isDeleted: false, metadata: {}, createdAt: now, updatedAt: now,
  };

  io.of('/realtime').to(data.roomId).emit('chat:new-message', message);
  ack({ success: true, messageId, message, seq: message.seq, timestamp: now });
}

io.of('/realtime').on('connection', (socket) => {
  try {
    socket.data.identity = jwt.verify(socket.handshake.auth.token, secret,
      { algorithms: ['HS256'] });
  } catch (error) {
    socket.emit('error', { message: error.message });
    socket.disconnect();
    return;
  }

  const { userId, businessId, role } = socket.data.identity;

  socket.join(`user:${userId}`);

  if (role !== 'CUSTOMER') {
    socket.join(`business:${businessId}`);
  }

  socket.on('chat:join-room', (data, ack) => join(socket, data, ack));
  socket.on('chat:send-message', (data, ack) => send(socket, data, ack));
  socket.emit('connected', { message: 'Connected to real-time server', clientId: socket.id,
    isAuthenticated: true, userId, businessId, role, timestamp: new Date().toISOString() });
});

server.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => console.log('ready'));
