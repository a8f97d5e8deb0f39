// Tokens made without the product's own code, so that both can't be wrong in the same way.

import crypto from 'node:crypto';

export const SECRET = 'a-secret-for-tests-only-0123456789abcdef';

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
    .toString('base64url');

export const now = () => Math.floor(Date.now() / 1000);

export function sign(claims, { secret = SECRET, header = {}, alg = 'HS256' } = {})
{
    const text = `${b64({ alg, typ: 'JWT', ...header })}.${b64(claims)}`;
    const hash = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }[alg];
    return `${text}.${crypto.createHmac(hash, secret).update(text).digest('base64url')}`;
}

export function signRsa(claims, key, header = {})
{
    const text = `${b64({ alg: 'RS256', typ: 'JWT', ...header })}.${b64(claims)}`;
    return `${text}.${crypto.sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

export function unsigned(claims, alg = 'none')
{
    return `${b64({ alg, typ: 'JWT' })}.${b64(claims)}.`;
}

let serial = 0;

// A person of a business: { id, token, … }. Every call makes another one unless id is given.
export function person(role, { id, business = 'biz-a', name, ...claims } = {})
{
    const userId = id || `${role.toLowerCase()}-${process.pid}-${serial += 1}`;
    const all = { userId, role, name: name || `Name of ${userId}`, exp: now() + 3600, ...claims };
    if (business !== null) {
        all.businessId = business;
    }
    return { id: userId, business, role, name: all.name, claims: all, token: sign(all) };
}

export const customer = (options) => person('CUSTOMER', options);
export const staff = (options) => person('STAFF', options);
export const owner = (options) => person('BUSINESS_OWNER', options);
export const superAdmin = (options) => person('SUPER_ADMIN', { business: null, ...options });
