use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA";

fn sealer(text: &str) -> Sealer {
    Sealer::new(Keys::parse(text, "a test").expect("keys"))
}

fn place() -> Place {
    Place::new("destination_secret", "secret", "7/2")
}

#[test]
fn what_is_sealed_opens_in_its_place_alone() {
    let sealer = sealer(KEY);
    let sealed = sealer.seal(&place(), b"whsec_marker");
    assert!(sealed.starts_with("rs1.630dcd29.") && !sealed.contains("marker"), "{sealed}");
    assert!(sealed.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(sealer.open(&place(), &sealed).expect("opens").expose(), b"whsec_marker");
    assert_eq!(sealer.open(&place(), &sealed).expect("opens").text(), Ok("whsec_marker"));
    // Never the same twice.
    assert_ne!(sealer.seal(&place(), b"whsec_marker"), sealed);
    for elsewhere in [
        Place::new("destination_secret", "secret", "7/3"),
        Place::new("destination_secret", "secret", "72"),
        Place::new("destination_secret", "secre", "t7/2"),
        Place::new("destination_secrets", "ecret", "7/2"),
        Place::new("second_factor", "secret", "7/2"),
    ] {
        let refused = sealer.open(&elsewhere, &sealed).expect_err("another place");
        assert_eq!(refused, SealError::DoesNotOpen(elsewhere));
    }
}

#[test]
fn the_format_stays() {
    // What is in databases must open for ever.
    let sealed = FROZEN;
    let opened = sealer(KEY).open(&place(), sealed).expect("opens");
    assert_eq!(opened.expose(), b"a secret of 2026");
}

/// The key [`KEY`], the place [`place`], the nonce 0, 1, 2, ... 23; made by another implementation
/// (HChaCha20 after the draft's section 2.2, then ChaCha20-Poly1305 of the Python cryptography 48).
const FROZEN: &str = "rs1.630dcd29.AAECAwQFBgcICQoLDA0ODxAREhMUFRYX_-J8GvOg6NoTK0D\
    u-WKa3j3wI6LFhdZPtTEHNMcQkAY";

#[test]
fn the_first_key_seals_and_all_open() {
    let (old, new) = (sealer(OTHER), sealer(&format!("{KEY},{OTHER}")));
    let before = old.seal(&place(), b"x");
    let after = new.seal(&place(), b"x");
    assert!(after.starts_with(&new.current_prefix()) && !before.starts_with(&new.current_prefix()));
    for sealed in [&before, &after] {
        assert_eq!(new.open(&place(), sealed).expect("opens").expose(), b"x");
    }
    let refused = old.open(&place(), &after).expect_err("a key that is not had");
    let key_id = new.key_ids()[0].clone();
    assert_eq!(refused, SealError::UnknownKey { place: place(), key_id });
}

#[test]
fn what_is_no_sealed_value_is_refused() {
    let sealer = sealer(KEY);
    let sealed = sealer.seal(&place(), b"whsec_marker");
    let cut = &sealed[..sealed.len() - 40];
    for (value, expected) in [
        ("", SealError::NotSealed(place())),
        ("whsec_marker", SealError::NotSealed(place())),
        ("rs1.", SealError::Malformed(place())),
        ("rs1.630dcd29", SealError::Malformed(place())),
        ("rs1.630dcd29.", SealError::Malformed(place())),
        ("rs1.630DCD29.AAAA", SealError::Malformed(place())),
        ("rs1.630dcd29.####", SealError::Malformed(place())),
        (cut, SealError::Malformed(place())),
        (&format!("{sealed}AAAA"), SealError::DoesNotOpen(place())),
    ] {
        assert_eq!(sealer.open(&place(), value).expect_err(value), expected, "{value}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens(secret in prop::collection::vec(any::<u8>(), 0..300), row: i64) {
        let (sealer, place) = (sealer(KEY), Place::new("channel", "secret", row));
        let sealed = sealer.seal(&place, &secret);
        let opened = sealer.open(&place, &sealed).expect("opens");
        prop_assert_eq!(opened.expose(), secret.as_slice());
    }

    /// No bit can be changed: of the ciphertext, the nonce, the key's id or the form.
    #[test]
    fn a_flipped_bit_does_not_open(at in 0_usize..90, bit in 0_u8..7) {
        let sealer = sealer(&format!("{KEY},{OTHER}"));
        let mut sealed = sealer.seal(&place(), b"whsec_MfKQ9r8GKYqrTwjUPD").into_bytes();
        let at = at % sealed.len();
        sealed[at] ^= 1 << bit;
        let sealed = String::from_utf8(sealed).expect("ASCII");
        let refused = sealer.open(&place(), &sealed).expect_err("damaged");
        prop_assert!(!refused.to_string().contains("whsec"));
    }
}

#[test]
fn keys_are_read_as_people_write_them() {
    let ids = |text: &str| sealer(text).key_ids();
    let both = ids(&format!("{KEY},{OTHER}"));
    assert_eq!(both.len(), 2);
    assert_eq!(ids(&format!("# keys\n\n {KEY} # of 2026\n{OTHER}\n")), both);
    assert_eq!(ids(&format!("{} , {OTHER}==,", KEY.trim_end_matches('='))), both);
    assert_eq!(ids(&OTHER.replace('-', "+").replace('_', "/")), [both[1].clone()]);
    for (text, told) in [
        ("", "there is no key"),
        ("# nothing\n", "there is no key"),
        ("hunter2", "key 1 is not 32 bytes"),
        (&format!("{KEY},hunter2"), "key 2 is not 32 bytes"),
        (&format!("{KEY}\n{KEY}"), "key 2 stands there twice"),
        (&KEY[..20], "key 1 is not 32 bytes"),
    ] {
        let error = Keys::parse(text, "seal.key").expect_err(text).to_string();
        assert!(error.starts_with("seal.key: ") && error.contains(told), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("AAECAwQF"), "{error}");
    }
}

#[test]
fn neither_keys_nor_secrets_are_printed() {
    let keys = Keys::parse(KEY, "a test").expect("keys");
    let printed = format!("{keys:?} {:#?}", keys.first());
    let sealer = Sealer::new(keys);
    let opened = sealer.open(&place(), &sealer.seal(&place(), b"hunter2")).expect("opens");
    let printed = format!("{printed} {sealer:?} {opened:?}");
    assert!(printed.contains("630dcd29") && !printed.contains("AAECAwQF"), "{printed}");
    assert!(!printed.contains("hunter2") && !printed.contains("[104, 117"), "{printed}");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_key_file_is_made_once_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data/shop.db.key");
    assert!(matches!(Sealer::from_file(&path), Err(KeyError::Missing(_))));
    let (first, is_new) = Sealer::from_file_or_new(&path).expect("made");
    assert!(is_new && mode(&path) == 0o600);
    let (again, is_new) = Sealer::from_file_or_new(&path).expect("read");
    assert!(!is_new && again.key_ids() == first.key_ids());
    assert_eq!(std::fs::read_dir(path.parent().expect("a folder")).expect("read").count(), 1);
    std::fs::write(&path, "nonsense").expect("written");
    assert!(matches!(Sealer::from_file_or_new(&path), Err(KeyError::Wrong { .. })));
    assert!(matches!(again.add_key(), Err(KeyError::Wrong { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("read"), "nonsense");
}

#[test]
fn processes_that_begin_at_once_agree_on_a_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("runout.key");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || Sealer::from_file_or_new(&path).expect("keys").0.key_ids())
        })
        .collect();
    let ids: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("ends")).collect();
    assert!(ids.iter().all(|found| *found == ids[0]), "{ids:?}");
}

#[test]
fn a_new_key_is_put_in_front_and_found_by_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("runout.key");
    let (rotating, _) = Sealer::from_file_or_new(&path).expect("made");
    let serving = Sealer::from_file(&path).expect("read");
    let before = serving.seal(&place(), b"x");
    let id = rotating.add_key().expect("added");
    assert_eq!(rotating.key_ids()[0], id);
    assert_eq!(rotating.key_ids()[1..], serving.key_ids()[..]);
    assert!(mode(&path) == 0o600 && std::fs::read_to_string(&path).expect("read").starts_with('#'));
    assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
    // Whoever serves meets the new key, reads the file again, and seals with it from then on.
    let after = rotating.seal(&place(), b"y");
    assert_eq!(serving.open(&place(), &after).expect("opens").expose(), b"y");
    assert_eq!(serving.open(&place(), &before).expect("opens").expose(), b"x");
    assert_eq!(serving.key_ids(), rotating.key_ids());
    assert!(!serving.reload().expect("read"), "nothing has changed since");
    // Of many that do so at once, no key is lost.
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let sealer = rotating.clone();
            std::thread::spawn(move || sealer.add_key().expect("added"))
        })
        .collect();
    let added: Vec<String> = threads.into_iter().map(|t| t.join().expect("ends")).collect();
    serving.reload().expect("read");
    assert_eq!(serving.key_ids().len(), 10);
    assert!(added.iter().all(|id| serving.key_ids().contains(id)));
}

#[test]
fn an_unknown_key_is_looked_for_at_most_once_a_second() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("runout.key");
    let (serving, _) = Sealer::from_file_or_new(&path).expect("made");
    let foreign = sealer(KEY).seal(&place(), b"x");
    assert!(matches!(serving.open(&place(), &foreign), Err(SealError::UnknownKey { .. })));
    let text = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, format!("{text}{KEY}\n")).expect("written");
    assert!(matches!(serving.open(&place(), &foreign), Err(SealError::UnknownKey { .. })));
    std::thread::sleep(LOOK_EVERY);
    assert_eq!(serving.open(&place(), &foreign).expect("opens").expose(), b"x");
    // Without the file, what is known stays known.
    std::fs::remove_file(&path).expect("removed");
    assert!(serving.reload().is_err());
    assert_eq!(serving.open(&place(), &foreign).expect("opens").expose(), b"x");
}

#[test]
fn a_link_leads_to_the_file_that_is_changed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, link) = (folder.path().join("real.key"), folder.path().join("link.key"));
    Sealer::from_file_or_new(&path).expect("made");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("set");
    std::os::unix::fs::symlink(&path, &link).expect("linked");
    let sealer = Sealer::from_file(&link).expect("read");
    sealer.add_key().expect("added");
    assert!(link.is_symlink() && mode(&path) == 0o640);
    assert_eq!(Sealer::from_file(&path).expect("read").key_ids(), sealer.key_ids());
}
