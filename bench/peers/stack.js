'use strict';

/* The peer with everything: socket.io 4.8, @socket.io/redis-adapter, mongoose, one Node process.
 *
 * What chat backends on this stack do, without the framework around it: the room is read and
 * checked, the message is created, the room's last message and counts are updated, and the message
 * goes to the room by the adapter. Three round trips to MongoDB for each message; rooms and
 * messages have the same members as ours. REST is Node's own http, which costs less than the
 * frameworks do. */

const { createServer } = require('node:http');
const jwt = require('jsonwebtoken');
const mongoose = require('mongoose');
const { Server } = require('socket.io');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');

const { JWT_SECRET: secret, PORT: port, MONGODB_URI: uri, REDIS_URL: redisUrl } = process.env;

if (!secret || !port || !uri || !redisUrl) {
  console.error('JWT_SECRET, PORT, MONGODB_URI and REDIS_URL are needed');
  process.exit(2);
}

const { Schema } = mongoose;
const Room = mongoose.model('Room', new Schema({
  businessId: { type: String, required: true },
  roomType: { type: String, default: 'customer-chat' },
  isActive: { type: Boolean, default: true },
  isArchived: { type: Boolean, default: false },
  seq: { type: Number, default: 0 },
  lastMessageAt: Date,
  lastMessageId: Schema.Types.ObjectId,
  lastMessagePreview: String,
  unreadCount: { type: Number, default: 0 },
  metadata: { userId: String, userName: String },
}, { timestamps: true, collection: 'chatrooms' })
  .index({ businessId: 1, lastMessageAt: -1 }));
const Message = mongoose.model('Message', new Schema({
  roomId: { type: Schema.Types.ObjectId, required: true },
  businessId: { type: String, required: true },
  seq: { type: Number, required: true },
  senderId: { type: String, required: true },
  senderType: { type: String, required: true },
  senderName: String,
  messageType: { type: String, default: 'text' },
  content: { type: String, required: true },
  attachments: { type: [Object], default: [] },
  replyToMessageId: { type: String, default: null },
  clientMessageId: { type: String, default: null },
  isRead: { type: Boolean, default: false },
  readAt: { type: Date, default: null },
  isAutomated: { type: Boolean, default: false },
  isFAQ: { type: Boolean, default: false },
  faqId: { type: String, default: null },
  quickReplies: { type: [Object], default: [] },
  isEdited: { type: Boolean, default: false },
  isDeleted: { type: Boolean, default: false },
  metadata: { type: Object, default: {} },
}, { timestamps: true, collection: 'chatmessages', minimize: false })
  .index({ roomId: 1, seq: 1 }));

class Refused extends Error {
  constructor(status, code, text) {
    super(text);
    Object.assign(this, { status, code });
  }
}

function verified(token) {
  return jwt.verify(token, secret, { algorithms: ['HS256'] });
}

async function roomOf(identity, roomId) {
  const room = await Room.findById(roomId);

  if (!room || !room.isActive) {
    throw new Refused(404, 'NOT_FOUND', 'no such room');
  }

  if (identity.role === 'CUSTOMER' ? room.metadata.userId !== identity.userId
    : room.businessId !== identity.businessId) {
    throw new Refused(403, 'FORBIDDEN', 'not in this room');
  }

  return room;
}

async function open(identity, data) {
  const { userId } = identity;
  const businessId = identity.businessId || data.businessId;

  return await Room.findOne({ businessId, 'metadata.userId': userId, isActive: true })
    || Room.create({ businessId, metadata: { userId, userName: data.userName } });
}

async function send(io, identity, roomId, data) {
  if (typeof data.content !== 'string' || !data.content) {
    throw new Refused(400, 'INVALID', 'content is missing');
  }

  const { _id } = await roomOf(identity, roomId);
  const room = await Room.findByIdAndUpdate(_id, { $inc: { seq: 1,
    unreadCount: identity.role === 'CUSTOMER' ? 1 : 0 }, $set: { lastMessageAt: new Date(),
    lastMessagePreview: data.content.slice(0, 100) } }, { new: true });
  const stored = await Message.create({ roomId: _id, businessId: room.businessId, seq: room.seq,
    senderId: identity.userId, senderType: identity.role === 'CUSTOMER' ? 'customer' : 'staff',
    senderName: identity.name, content: data.content });
  const message = stored.toObject();

  message.id = message._id;
  io.of('/realtime').to(String(_id)).emit('chat:new-message', JSON.parse(JSON.stringify(message)));
  return { success: true, messageId: message._id, message, seq: message.seq,
    timestamp: message.createdAt };
}

async function join(socket, data) {
  const room = data.roomId ? await roomOf(socket.data.identity, data.roomId)
    : await open(socket.data.identity, data);

  socket.join(String(room._id));
  return { success: true, message: 'Joined room', roomId: room._id, messages: [], hasMore: false,
    lastSeq: room.seq };
}

function answered(work) {
  return async (data, ack) => {
    try {
      ack(await work(data));
    } catch (error) {
      ack({ success: false, error: error.message, code: error.code || 'UNAVAILABLE' });
    }
  };
}

async function rest(io, request) {
  const identity = verified((request.headers.authorization || '').replace('Bearer ', ''));
  const parts = request.url.split('/');
  let text = '';

  request.setEncoding('utf8');

  for await (const chunk of request) {
    text += chunk;
  }

  const data = JSON.parse(text);

  if (request.url === '/api/chat/rooms/create') {
    const room = await open(identity, data);
    return { success: true, data: { ...room.toObject(), id: room._id, roomId: room._id } };
  }

  if (parts.length === 6 && parts[5] === 'messages') {
    return { success: true, data: (await send(io, identity, parts[4], data)).message };
  }

  throw new Refused(404, 'NOT_FOUND', 'no such path');
}

async function main() {
  const server = createServer();
  const io = new Server(server, { cors: { origin: '*' } });
  const publisher = createClient({ url: redisUrl });
  const subscriber = publisher.duplicate();

  await Promise.all([publisher.connect(), subscriber.connect(), mongoose.connect(uri)]);
  await Promise.all([Room.init(), Message.init()]);
  io.adapter(createAdapter(publisher, subscriber));

  server.on('request', async (request, response) => {
    if (!request.url.startsWith('/api/')) {
      return;             // engine.io's
    }

    let status = 201;
    let body;

    try {
      body = await rest(io, request);
    } catch (error) {
      status = error.status || 401;
      body = { success: false, message: error.message };
    }

    const text = JSON.stringify(body);
    response.writeHead(status, { 'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text) });
    response.end(text);
  });

  io.of('/realtime').on('connection', (socket) => {
    try {
      socket.data.identity = verified(socket.handshake.auth.token);
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

    socket.on('chat:join-room', answered((data) => join(socket, data)));
    socket.on('chat:send-message', answered((data) => {
      if (!socket.rooms.has(data.roomId)) {
        throw new Refused(403, 'FORBIDDEN', 'not in this room');
      }

      return send(io, socket.data.identity, data.roomId, data);
    }));
    socket.emit('connected', { message: 'Connected to real-time server', clientId: socket.id,
      isAuthenticated: true, userId, businessId, role, timestamp: new Date().toISOString() });
  });

  server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
