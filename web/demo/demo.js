// The demo page: a customer's window, and the business's window with its list of rooms.
'use strict';

function problem(text) {
  const line = document.getElementById('problem');

  line.textContent = text;
  line.hidden = false;
}

// A connection of its own for each of the two people, and its state in the window's title.
function connect(section, person) {
  const socket = io('/realtime', { auth: { token: person.token }, forceNew: true });
  const dot = section.querySelector('.dot');
  const transport = section.querySelector('.transport');
  const showTransport = () => { transport.textContent = socket.io.engine.transport.name; };

  section.querySelector('h2').textContent = person.name;
  socket.on('connect', () => {
    showTransport();
    socket.io.engine.on('upgrade', showTransport);
  });
  socket.on('connected', () => { dot.dataset.state = 'on'; });
  socket.on('disconnect', () => {
    dot.dataset.state = 'off';
    transport.textContent = 'reconnecting…';
  });
  socket.on('error', (error) => {
    dot.dataset.state = 'refused';
    problem(`${person.name}: ${error.message}`);
  });
  return socket;
}

function startCustomer(demo) {
  const section = document.getElementById('customer');
  const me = demo.customer;
  const socket = connect(section, me);
  const chat = new ChatWindow(section.querySelector('.chat'), socket, me);

  socket.on('connected', () => {
    chat.join({ businessId: demo.businessId, userName: me.name })
      .catch((error) => problem(`Joining failed: ${error.message}`));
  });
}

class RoomList {
  constructor(element, token, open) {
    this.element = element;
    this.token = token;
    this.open = open;
    this.rooms = new Map();
    this.attention = new Set();
    this.current = null;
  }

  async load() {
    const response = await fetch('/api/chat/rooms?limit=50&isArchived=false',
      { headers: { Authorization: `Bearer ${this.token}` } });

    if (!response.ok) {
      throw new Error(`the room list answered ${response.status}`);
    }
    this.rooms = new Map((await response.json()).rooms.map((room) => [room._id, room]));
    this.draw();
  }

  // From chat:room-updated. A room that the list does not hold yet is read with the others.
  update(notice) {
    const room = this.rooms.get(notice.roomId);

    if (!room) {
      return this.load();
    }
    Object.assign(room, notice);
    this.draw();
    return Promise.resolve();
  }

  select(roomId) {
    this.current = roomId;
    this.attention.delete(roomId);
    this.draw();
    this.open(roomId);
  }

  draw() {
    const ordered = [...this.rooms.values()].sort((a, b) =>
      String(b.lastMessageAt || b.createdAt).localeCompare(String(a.lastMessageAt || a.createdAt)));

    this.element.replaceChildren(...ordered.map((room) => this.drawRoom(room)));
  }

  drawRoom(room) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    const add = (className, text) => {
      const span = document.createElement('span');

      span.className = className;
      span.textContent = text;
      button.append(span);
      return span;
    };

    button.dataset.room = room._id;
    button.setAttribute('aria-current', String(room._id === this.current));
    button.addEventListener('click', () => this.select(room._id));
    add('name', room.metadata?.userName || room.roomName || room._id)
      .classList.toggle('attention', this.attention.has(room._id));
    if (room.unreadCount > 0) {
      add('unread', room.unreadCount);
    }
    add('last', lastText(room.lastMessage));
    item.append(button);
    return item;
  }
}

function lastText(last) {
  return typeof last === 'string' ? last : last?.content || '';
}

function startStaff(demo) {
  const section = document.getElementById('staff');
  const me = demo.staff;
  const socket = connect(section, me);
  const chat = new ChatWindow(section.querySelector('.chat'), socket, me);
  const failed = (error) => problem(`Staff: ${error.message}`);
  const list = new RoomList(section.querySelector('.rooms'), me.token,
    (roomId) => chat.join({ roomId }).catch(failed));

  socket.on('connected', () => {
    list.load().catch(failed);
    if (list.current) {
      chat.join({ roomId: list.current }).catch(failed);
    }
  });
  socket.on('chat:room-updated', (notice) => list.update(notice).catch(failed));
  socket.on('chat:new-conversation', (notice) => {
    if (notice.requiresAttention) {
      list.attention.add(notice.roomId);
    }
    list.load().catch(failed);
  });
}

async function start() {
  if (typeof io === 'undefined') {
    problem('socket.io-client is missing here. Run npm ci in web/demo, then make run again.');
    return;
  }
  const response = await fetch('demo.json');

  if (!response.ok) {
    problem('The demo tokens are given to this machine only (127.0.0.1).');
    return;
  }
  const demo = await response.json();

  startCustomer(demo);
  startStaff(demo);
}

start().catch((error) => problem(error.message));
