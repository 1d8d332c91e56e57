use proptest::prelude::*;

use super::*;

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a moment")
}

fn door() -> Door {
    Door { cancelled: false, opens_at: moment(100), closes_at: moment(200) }
}

fn line(quantity: i64) -> Line {
    let (status, admitted) = (Status::Paid, BTreeSet::new());
    Line { status, of_event: true, quantity, returned: 0, admitted }
}

#[test]
fn every_reason_has_its_word() {
    let now = moment(150);
    let with = |change: &dyn Fn(&mut Line)| {
        let mut line = line(3);
        change(&mut line);
        admit(&door(), &line, 2, now, false)
    };
    let status = |status| with(&|line| line.status = status);
    for (found, expected) in [
        (with(&|_| {}), Ok(())),
        (with(&|line| line.quantity = 1), Err(Refused::NoSuchTicket)),
        (with(&|line| line.of_event = false), Err(Refused::OtherEvent)),
        (with(&|line| line.admitted = [2].into()), Err(Refused::AlreadyAdmitted)),
        (with(&|line| line.admitted = [1, 3].into()), Ok(())),
        (with(&|line| line.returned = 1), Ok(())),
        (with(&|line| line.returned = 2), Err(Refused::Returned)),
        (status(Status::Fulfilled), Ok(())),
        (status(Status::Closed), Ok(())),
        (status(Status::Placed), Err(Refused::NotPaid)),
        (status(Status::Cancelled), Err(Refused::OrderCancelled)),
        (status(Status::Refunded), Err(Refused::OrderRefunded)),
        (status(Status::Returned), Err(Refused::Returned)),
    ] {
        assert_eq!(found, expected);
    }
    let cancelled = Door { cancelled: true, ..door() };
    assert_eq!(admit(&cancelled, &line(1), 1, now, true), Err(Refused::EventCancelled));
    for number in [i64::MIN, -1, 0, 4, i64::MAX] {
        assert_eq!(admit(&door(), &line(3), number, now, true), Err(Refused::NoSuchTicket));
    }
}

#[test]
fn the_day_is_a_warning() {
    for (seconds, today) in [(99, false), (100, true), (199, true), (200, false)] {
        let asked = |any_day| admit(&door(), &line(1), 1, moment(seconds), any_day);
        assert_eq!(asked(false), if today { Ok(()) } else { Err(Refused::NotToday) });
        assert_eq!(asked(true), Ok(()));
    }
}

#[test]
fn the_last_unused_tickets_are_those_that_came_back() {
    let table: [(i64, &[i64], &[i64]); 6] = [
        (0, &[], &[]),
        (1, &[], &[4]),
        (3, &[], &[2, 3, 4]),
        (1, &[4], &[3]),
        (2, &[2, 4], &[1, 3]),
        (4, &[1], &[2, 3, 4]),
    ];
    for (returned, admitted, gone) in table {
        let line = Line { returned, admitted: admitted.iter().copied().collect(), ..line(4) };
        let found: Vec<i64> = (1..=4).filter(|number| has_come_back(&line, *number)).collect();
        assert_eq!(found, gone, "{returned} of 4, used {admitted:?}");
    }
}

proptest! {
    /// Whatever is scanned and returned in whatever order: each ticket admits once, no more are
    /// used after a return than were kept, and what came back stays away.
    #[test]
    fn no_more_come_in_than_were_kept(
        quantity in 1..8_i64,
        steps in prop::collection::vec(prop_oneof![
            4 => (1..9_i64).prop_map(Some),
            1 => Just(None),
        ], 0..40),
    ) {
        let mut line = line(quantity);
        let mut gone: BTreeSet<i64> = BTreeSet::new();
        for step in steps {
            match step {
                None => line.returned = (line.returned + 1).min(quantity),
                Some(number) => {
                    let before = line.admitted.len() as i64;
                    if admit(&door(), &line, number, moment(150), false).is_ok() {
                        prop_assert!(!gone.contains(&number), "it had come back");
                        prop_assert!(line.admitted.insert(number), "it had been used");
                        prop_assert!(before < quantity - line.returned);
                    }
                }
            }
            gone.extend((1..=quantity).filter(|number| has_come_back(&line, *number)));
            let usable = (1..=quantity)
                .filter(|n| admit(&door(), &line, *n, moment(150), false).is_ok())
                .count() as i64;
            let used = line.admitted.len() as i64;
            prop_assert_eq!(usable, (quantity - line.returned - used).max(0));
        }
    }
}
