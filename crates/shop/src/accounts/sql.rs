//! The statements of the commands that change accounts and tokens.

use runout_store::statements;

statements! {
    /// Accounts that a name or an address would be mistaken for. Either may be empty.
    NAMESAKES = "select id, username_key, email_key from account
        where username_key in ($1, $2) or email_key in ($1, $2)";
    INSERT_ACCOUNT = "insert into account (id, username, username_key, email, email_key, name,
            phone, identity_document, birth_date, role, password_hash, active, version, created_at,
            updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    /// An account with its password's hash, locked.
    LOCK_ACCOUNT = {
        sqlite: "select id, username, email, name, phone, identity_document, birth_date, role,
            active, version, created_at, updated_at, password_hash from account where id = $1",
        postgres: "select id, username, email, name, phone, identity_document, birth_date, role,
            active, version, created_at, updated_at, password_hash from account where id = $1
            for update",
    };
    /// Locked, so that two superusers cannot deactivate each other at the same time.
    LOCK_SUPERUSERS = {
        sqlite: "select id from account where role = 'superuser' and active = 1 order by id",
        postgres: "select id from account where role = 'superuser' and active order by id
            for update",
    };
    UPDATE_ACCOUNT = "update account set email = $2, email_key = $3, name = $4, phone = $5,
            identity_document = $6, birth_date = $7, role = $8, password_hash = $9, active = $10,
            version = $11, updated_at = $12
        where id = $1";
    REVOKE_OTHERS = "update token set revoked_at = $3
        where account_id = $1 and id <> $2 and revoked_at is null";
    INSERT_TOKEN = "insert into token (id, account_id, hash, label, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6)";
    /// Dead tokens, and the oldest of too many.
    PRUNE_TOKENS = "delete from token where account_id = $1 and (
        revoked_at is not null or expires_at <= $2 or id not in (
            select id from token
            where account_id = $1 and revoked_at is null and expires_at > $2
            order by id desc limit $3))";
    REHASH = "update account set password_hash = $2 where id = $1";
    REVOKE = "update token set revoked_at = $3
        where account_id = $1 and id = $2 and revoked_at is null";
    LIVE_TOKEN = "select id from token
        where account_id = $1 and id = $2 and revoked_at is null";
    INSERT_SESSION = "insert into session
            (id, account_id, hash, browser, address, created_at, seen_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $6, $7)";
    /// Sessions that are over, and the oldest of too many.
    PRUNE_SESSIONS = "delete from session where account_id = $1 and (
        ended_at is not null or expires_at <= $2 or id not in (
            select id from session
            where account_id = $1 and ended_at is null and expires_at > $2
            order by id desc limit $3))";
    END_OTHER_SESSIONS = "update session set ended_at = $3
        where account_id = $1 and id <> $2 and ended_at is null";
    END_SESSION = "update session set ended_at = $3
        where account_id = $1 and id = $2 and ended_at is null";
    LIVE_SESSION = "select id from session
        where account_id = $1 and id = $2 and ended_at is null";
    /// Of several requests at once, one moves the moment on.
    TOUCH_SESSION = "update session set seen_at = $2 where id = $1 and seen_at < $3";
}
