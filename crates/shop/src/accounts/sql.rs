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
    /// What an account is restricted to; null: it is not.
    LISTED = "select case when a.restricted then coalesce(
            (select string_agg(p.capability || '.' || p.verb, ' ') from staff_permission p
                where p.account_id = a.id), '') end
        from account a where a.id = $1";
    SET_RESTRICTED = "update account set restricted = $2, version = $3, updated_at = $4
        where id = $1";
    DROP_PERMISSIONS = "delete from staff_permission where account_id = $1";
    INSERT_PERMISSION = "insert into staff_permission (account_id, capability, verb)
        values ($1, $2, $3)";
    LOCK_FACTOR = {
        sqlite: "select secret, confirmed_at, last_step from second_factor where account_id = $1",
        postgres: "select secret, confirmed_at, last_step from second_factor
            where account_id = $1 for update",
    };
    LOCK_RECOVERY = {
        sqlite: "select account_id from recovery_code
            where account_id = $1 and hash = $2 and used_at is null",
        postgres: "select account_id from recovery_code
            where account_id = $1 and hash = $2 and used_at is null for update",
    };
    INSERT_FACTOR = "insert into second_factor (account_id, secret, created_at, last_step)
        values ($1, $2, $3, 0)";
    CONFIRM_FACTOR = "update second_factor set confirmed_at = $2, last_step = $3
        where account_id = $1";
    NOTE_STEP = "update second_factor set last_step = $2 where account_id = $1";
    DROP_FACTOR = "delete from second_factor where account_id = $1";
    INSERT_RECOVERY = "insert into recovery_code (account_id, hash) values ($1, $2)";
    USE_RECOVERY = "update recovery_code set used_at = $3 where account_id = $1 and hash = $2";
    DROP_RECOVERY = "delete from recovery_code where account_id = $1";
    VERIFY_SESSION = "update session set hash = $3, verified_at = $4, seen_at = $4
        where account_id = $1 and id = $2 and ended_at is null";
    CONFIRMED_FACTOR = "select account_id from second_factor
        where account_id = $1 and confirmed_at is not null";
    ERASE_ACCOUNT = "update account set username = $2, username_key = $2, email = $3,
            email_key = $3, name = '', phone = '', identity_document = null, birth_date = null, password_hash = $4,
            active = $5, version = $6, updated_at = $7
        where id = $1";
    ERASE_TOKENS = "delete from token where account_id = $1";
    ERASE_SESSIONS = "delete from session where account_id = $1";
    /// Answers that were kept for repetitions say who asked.
    ERASE_ANSWERS = "delete from idempotency where account_id = $1";
    /// What the audit says about an account, without the person.
    ERASE_AUDIT = {
        sqlite: "update audit set changes = json_remove(changes, '$.username', '$.email', '$.name',
                '$.phone', '$.identity_document', '$.birth_date')
            where entity = 'account' and entity_id = $1",
        postgres: "update audit set changes = changes - array['username', 'email', 'name', 'phone',
                'identity_document', 'birth_date']
            where entity = 'account' and entity_id = $1",
    };
    /// Of several requests at once, one moves the moment on.
    TOUCH_SESSION = "update session set seen_at = $2 where id = $1 and seen_at < $3";
}
