//! What the fields of an account may hold. Each rule answers with what is wrong, for a person.

use std::collections::HashSet;
use std::sync::LazyLock;

use jiff::civil::Date;

pub const USERNAME_CHARS_MAX: usize = 150;
pub const EMAIL_CHARS_MAX: usize = 254;
pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_CHARS_MAX: usize = 128;
pub const NAME_CHARS_MAX: usize = 200;
pub const PHONE_CHARS_MAX: usize = 31;
pub const IDENTITY_DOCUMENT_CHARS_MAX: usize = 32;
pub const LABEL_CHARS_MAX: usize = 100;

/// A rule's answer: nothing, or what is wrong.
pub type Checked = Result<(), &'static str>;

/// Django's rule: letters, digits and `@ . + - _` of any script, 1 to 150.
pub fn username(text: &str) -> Checked {
    if !within(text, 1, USERNAME_CHARS_MAX) {
        return Err("A username has 1 to 150 characters.");
    }
    if !text.chars().all(|c| c.is_alphanumeric() || "@.+-_".contains(c)) {
        return Err("A username is made of letters, digits and the characters @ . + - _ only.");
    }
    if key(text).starts_with(ERASED) {
        return Err("This username is kept for accounts that were erased.");
    }
    Ok(())
}

/// What the names and addresses of erased accounts begin with; nobody else has such a one.
pub const ERASED: &str = "erased-";

/// The username and the e-mail address of an erased account.
pub fn erased(id: i64) -> (String, String) {
    (format!("{ERASED}{id}"), format!("{ERASED}{id}@invalid"))
}

/// One `@` between two parts without spaces. Whether mail arrives there, only mail can tell.
pub fn email(text: &str) -> Checked {
    if !within(text, 3, EMAIL_CHARS_MAX) {
        return Err("An e-mail address has at most 254 characters.");
    }
    if !looks_like_email(text) {
        return Err("An e-mail address has one @ with something on both sides, and no spaces.");
    }
    if key(text).starts_with(ERASED) && key(text).ends_with("@invalid") {
        return Err("This e-mail address is kept for accounts that were erased.");
    }
    Ok(())
}

/// True if the text could be somebody's e-mail address.
pub fn looks_like_email(text: &str) -> bool {
    let spaced = text.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts = text.split_once('@');
    !spaced
        && parts
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// 8 to 128 characters of any kind, and not one that everybody tries first.
pub fn password(text: &str) -> Checked {
    if !within(text, PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX) {
        return Err("A password has 8 to 128 characters.");
    }
    if COMMON.contains(text.to_lowercase().as_str()) {
        return Err("This password is one of the most common ones.");
    }
    Ok(())
}

/// True if the password can be guessed from the account's own name or address.
pub fn password_is_own_name(password: &str, username: &str, email: &str) -> bool {
    let password = key(password);
    password == key(username) || password == key(email)
}

pub fn name(text: &str) -> Checked {
    if !within(text, 0, NAME_CHARS_MAX) {
        return Err("A name has at most 200 characters.");
    }
    plain(text)
}

/// Empty, or digits with the usual signs between them.
pub fn phone(text: &str) -> Checked {
    if text.is_empty() {
        return Ok(());
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let known = text.chars().all(|c| c.is_ascii_digit() || "+-./() x".contains(c));
    if known && digits >= 3 && text.len() <= PHONE_CHARS_MAX {
        Ok(())
    } else {
        Err("A phone number has 3 or more digits, with + - . / ( ) x and spaces, 31 at most.")
    }
}

/// Anything printable without spaces around it, 1 to 32 characters.
pub fn identity_document(text: &str) -> Checked {
    if !within(text, 1, IDENTITY_DOCUMENT_CHARS_MAX) || text.trim() != text {
        return Err("An identity document has 1 to 32 characters, without spaces around them.");
    }
    plain(text)
}

/// `YYYY-MM-DD`. Whether it is in the past, the decision knows.
pub fn birth_date(text: &str) -> Checked {
    parse_date(text).map(|_| ()).ok_or("A birth date is a day such as 1990-12-31.")
}

pub fn label(text: &str) -> Checked {
    if !within(text, 0, LABEL_CHARS_MAX) {
        return Err("A label has at most 100 characters.");
    }
    plain(text)
}

/// Reads `YYYY-MM-DD` and nothing else, so that dates compare as text.
pub fn parse_date(text: &str) -> Option<Date> {
    let shape = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let ours = text.len() == 10 && text.bytes().enumerate().all(shape);
    if ours { text.parse().ok() } else { None }
}

/// What a username or e-mail is compared by: names that differ by case only are the same.
pub fn key(text: &str) -> String {
    text.to_lowercase()
}

fn within(text: &str, min: usize, max: usize) -> bool {
    // Characters, as JSON Schema counts; no need to count those of a text that is far too long.
    text.len() <= 4 * max && (min..=max).contains(&text.chars().count())
}

fn plain(text: &str) -> Checked {
    if text.chars().any(char::is_control) {
        return Err("Control characters are not allowed.");
    }
    Ok(())
}

static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_and_refuses() {
        let long = |n: usize| "a".repeat(n);
        type Rule = fn(&str) -> Checked;
        let table: &[(&str, Rule, &[&str], &[&str])] = &[
            (
                "username",
                username,
                &["ana", "Ana.B+c-d_e@f", "ünï", "小林", &long(150)],
                &["", "a b", "a/b", "a\0", "a\n", &long(151), "<b>", "Erased-7"],
            ),
            (
                "email",
                email,
                &["a@b", "ana@shop.example", "é@é.fr"],
                &[
                    "",
                    "@",
                    "a@",
                    "@b",
                    "a@b@c",
                    "a b@c",
                    "a@b\n",
                    &format!("{}@b", long(253)),
                    "erased-7@invalid",
                ],
            ),
            (
                "password",
                password,
                &["correct horse", "pässwörter", &long(128)],
                &["", "short", "password", "PassWord", "12345678", &long(129)],
            ),
            ("phone", phone, &["", "+44 (0)20 7946-0018", "112"], &["abc", "12", &"1".repeat(32)]),
            (
                "identity_document",
                identity_document,
                &["123.456.789-00", "A1"],
                &["", " A1", "A1 ", "A\t1", &long(33)],
            ),
            (
                "birth_date",
                birth_date,
                &["1990-12-31", "2000-02-29"],
                &["", "1990-13-01", "2001-02-29", "19901231", "1990-12-31T00:00", "-990-12-31"],
            ),
            ("name", name, &["", "Ana Belén", &long(200)], &["a\u{7}", &long(201)]),
            ("label", label, &["", "phone"], &["a\nb", &long(101)]),
        ];
        for (what, rule, taken, refused) in table {
            for text in *taken {
                assert_eq!(rule(text), Ok(()), "{what} {text:?}");
            }
            for text in *refused {
                assert!(rule(text).is_err(), "{what} {text:?}");
            }
        }
    }

    #[test]
    fn own_names_are_no_passwords() {
        assert!(password_is_own_name("Ana.Maria", "ana.maria", "a@b"));
        assert!(password_is_own_name("ana@shop.example", "ana", "Ana@Shop.example"));
        assert!(!password_is_own_name("correct horse", "ana", "a@b"));
    }

    #[test]
    fn the_list_of_common_passwords_holds_only_those_that_the_length_lets_through() {
        assert!(COMMON.len() > 100);
        assert!(COMMON.iter().all(|p| within(p, 8, 128) && *p == p.to_lowercase()), "{COMMON:?}");
    }
}
