// One chat window: what it shows of a room, and what it tells the server.
'use strict';

const TYPING_REPEAT_MS = 3000;   // while keys are pressed; the server forgets after 8 s
const TYPING_IDLE_MS = 4000;

class ChatWindow {
  // element: where it is drawn; socket: its connection; me: {userId, name}
  constructor(element, socket, me) {
    this.socket = socket;
    this.me = me;
    this.roomId = null;
    this.messages = new Map();   // id -> message; the server may tell one twice
    this.pending = [];           // sent, not yet answered
    this.typists = new Map();

    element.append(document.getElementById('chat').content.cloneNode(true));
    this.list = element.querySelector('.messages');
    this.typingLine = element.querySelector('.typing');
    this.input = element.querySelector('input');
    this.button = element.querySelector('form button');

    element.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.send(this.input.value);
      this.input.value = '';
    });
    this.input.addEventListener('input', () => this.typed());
    this.input.addEventListener('blur', () => this.stopTyping());

    for (const event of ['chat:new-message', 'chat:auto-response', 'chat:faq-response']) {
      socket.on(event, (message) => this.received(message));
    }
    socket.on('chat:user-typing', (notice) => this.someoneTypes(notice));
    socket.on('chat:messages-read', (notice) => this.someoneRead(notice));
    socket.on('disconnect', () => this.enable(false));
  }

  // request: {roomId}, or {businessId, userName} for one's own room. Also after a reconnect: the
  // answer's history fills what was missed.
  async join(request) {
    const answer = await this.ask('chat:join-room', request);

    if (this.roomId !== answer.roomId) {
      this.leave();
      this.roomId = answer.roomId;
    }
    for (const message of answer.messages) {
      this.messages.set(message._id, message);
    }
    this.enable(true);
    this.draw();
    this.markRead();
    for (const pending of this.pending) {
      this.deliver(pending);
    }
  }

  leave() {
    if (this.roomId) {
      this.stopTyping();
      this.socket.emit('chat:leave-room', { roomId: this.roomId });
    }
    this.roomId = null;
    this.messages.clear();
    this.typists.clear();
    this.pending = [];
  }

  ask(event, data) {
    return new Promise((resolve, reject) => {
      this.socket.timeout(10000).emit(event, data, (timeout, answer) => {
        if (timeout) {
          reject(new Error('no answer'));
        } else if (answer.success) {
          resolve(answer);
        } else {
          reject(new Error(answer.error));
        }
      });
    });
  }

  send(text) {
    const content = text.trim();

    if (!content || !this.roomId) {
      return;
    }
    this.stopTyping();
    const pending = { content, clientMessageId: crypto.randomUUID?.() || `${Date.now()}-${Math.random()}` };
    this.pending.push(pending);
    this.draw();
    this.deliver(pending);
  }

  // May be called again for the same text: the clientMessageId keeps it one message.
  async deliver(pending) {
    try {
      const answer = await this.ask('chat:send-message', { roomId: this.roomId, ...pending });
      this.pending = this.pending.filter((p) => p.clientMessageId !== pending.clientMessageId);
      this.messages.set(answer.messageId, { ...answer.message, ...this.messages.get(answer.messageId) });
    } catch (error) {
      pending.failed = error.message;
    }
    this.draw();
  }

  received(message) {
    if (message.roomId !== this.roomId) {
      return;
    }
    this.messages.set(message._id, message);
    this.pending = this.pending.filter((p) => p.clientMessageId !== message.clientMessageId);
    this.typists.delete(message.senderId);
    this.draw();
    if (message.senderId !== this.me.userId) {
      this.markRead();
    }
  }

  markRead() {
    const news = [...this.messages.values()]
      .some((m) => !m.isRead && m.senderId !== this.me.userId);

    if (news && document.visibilityState === 'visible') {
      this.socket.emit('chat:read-messages', { roomId: this.roomId }, (answer) => {
        for (const id of answer.messageIds || []) {
          this.setRead(id);
        }
      });
    }
  }

  someoneRead(notice) {
    if (notice.roomId === this.roomId) {
      notice.messageIds.forEach((id) => this.setRead(id));
      this.draw();
    }
  }

  setRead(id) {
    const message = this.messages.get(id);

    if (message) {
      message.isRead = true;
    }
  }

  typed() {
    if (!this.roomId || !this.input.value) {
      return;
    }
    if (!this.toldTyping || Date.now() - this.toldTyping > TYPING_REPEAT_MS) {
      this.toldTyping = Date.now();
      this.socket.emit('chat:typing', { roomId: this.roomId, isTyping: true });
    }
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.stopTyping(), TYPING_IDLE_MS);
  }

  stopTyping() {
    clearTimeout(this.idle);
    if (this.toldTyping && this.roomId) {
      this.socket.emit('chat:typing', { roomId: this.roomId, isTyping: false });
    }
    this.toldTyping = 0;
  }

  someoneTypes(notice) {
    if (notice.roomId !== this.roomId) {
      return;
    }
    if (notice.isTyping) {
      this.typists.set(notice.userId, notice.userName || notice.userId);
    } else {
      this.typists.delete(notice.userId);
    }
    this.drawTyping();
  }

  enable(on) {
    this.input.disabled = !on;
    this.button.disabled = !on;
  }

  draw() {
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    const ordered = [...this.messages.values()].sort((a, b) => a.seq - b.seq);

    this.list.replaceChildren(...ordered.map((m) => this.drawMessage(m)),
      ...this.pending.map((p) => this.drawPending(p)));
    if (atEnd || this.pending.length) {
      this.list.scrollTop = this.list.scrollHeight;
    }
    this.drawTyping();
  }

  drawMessage(message) {
    const item = document.createElement('li');
    const mine = message.senderId === this.me.userId;
    const time = new Date(message.createdAt)
      .toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

    item.dataset.id = message._id;
    item.classList.toggle('mine', mine);
    item.classList.toggle('automated', Boolean(message.isAutomated || message.isFAQ));
    item.append(message.content, note(mine ? `${time} ${message.isRead ? '✓✓ read' : '✓'}`
      : `${message.senderName || message.senderType} · ${time}`));
    if (!mine && message.quickReplies?.length) {
      item.append(this.drawReplies(message.quickReplies));
    }
    return item;
  }

  drawReplies(replies) {
    const line = document.createElement('div');

    line.className = 'replies';
    for (const reply of replies) {
      const button = document.createElement('button');

      button.textContent = reply;
      button.addEventListener('click', () => this.send(reply));
      line.append(button);
    }
    return line;
  }

  drawPending(pending) {
    const item = document.createElement('li');

    item.className = pending.failed ? 'mine failed' : 'mine';
    item.append(pending.content, note(pending.failed ? `not sent: ${pending.failed}` : 'sending…'));
    return item;
  }

  drawTyping() {
    const names = [...this.typists.values()];
    this.typingLine.textContent = names.length ? `${names.join(', ')} is typing…` : '';
  }
}

function note(text) {
  const small = document.createElement('small');

  small.textContent = text;
  return small;
}
