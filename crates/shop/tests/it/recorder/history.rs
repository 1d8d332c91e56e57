//! What was committed when, and whether an answer fits to it.
//!
//! Every row changes one value after another. When exactly one was committed nobody knows, but it
//! was between the beginning of the write and the moment at which the writer was told. An answer is
//! right if there is one moment at which all of its rows can have had the values that it shows, and
//! that moment is not before what the reader must see.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Who has changed a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Node(usize),
    /// SQL from outside of every node.
    Outside,
}

#[derive(Debug)]
struct Entry {
    value: String,
    by: By,
    begun: Instant,
    /// When the writer was told; None: it was not yet.
    told: Option<Instant>,
}

/// What a reader got.
pub struct Answer {
    /// The node that was asked.
    pub node: usize,
    pub asked: Instant,
    pub answered: Instant,
    /// The value of every row.
    pub values: Vec<String>,
}

/// Why an answer is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// No row ever had this value.
    Unknown { row: usize, value: String },
    /// The reader had to see a later one.
    Stale { row: usize, value: String, since: Duration },
    /// No moment had all of these values.
    Torn { values: Vec<String> },
}

type Span = (Instant, Option<Instant>);

/// See the module.
pub struct History {
    rows: Vec<Mutex<Vec<Entry>>>,
    /// For so long a node need not show what another one has changed.
    bound: Duration,
}

impl History {
    pub fn new(values: &[String], bound: Duration) -> Self {
        let begun = Instant::now();
        let first = |value: &String| {
            let (value, told) = (value.clone(), Some(begun));
            Mutex::new(vec![Entry { value, by: By::Outside, begun, told }])
        };
        Self { rows: values.iter().map(first).collect(), bound }
    }

    /// To be called before a write.
    pub fn begin(&self, row: usize, value: String, by: By) {
        let entry = Entry { value, by, begun: Instant::now(), told: None };
        self.rows[row].lock().expect("no panic").push(entry);
    }

    /// To be called when the writer has been told.
    pub fn told(&self, row: usize) {
        let mut entries = self.rows[row].lock().expect("no panic");
        entries.last_mut().expect("there is one").told = Some(Instant::now());
    }

    pub fn judge(&self, answer: &Answer) -> Result<(), Wrong> {
        let from = answer.asked.checked_sub(self.bound).unwrap_or(answer.asked);
        let mut moments = vec![(from, Some(answer.answered))];
        for (row, value) in answer.values.iter().enumerate() {
            let spans = self.spans(row, value, answer)?;
            moments = common(&moments, &spans);
        }
        if moments.is_empty() {
            return Err(Wrong::Torn { values: answer.values.clone() });
        }
        Ok(())
    }

    /// When the row can have had this value, as far as the reader may see it.
    fn spans(&self, row: usize, value: &str, answer: &Answer) -> Result<Vec<Span>, Wrong> {
        let entries = self.rows[row].lock().expect("no panic");
        let mut spans = Vec::new();
        // Of what came before the entries that were looked at.
        let (mut ended, mut shown_until) = (None, None::<Instant>);
        for entry in entries.iter().rev() {
            let too_old = shown_until.is_some_and(|until| until < answer.asked);
            if too_old && !spans.is_empty() {
                break;
            }
            if entry.value == value {
                if too_old {
                    let since = answer.asked - shown_until.expect("it is too old");
                    return Err(Wrong::Stale { row, value: value.to_owned(), since });
                }
                spans.push((entry.begun, ended));
            }
            if let Some(told) = entry.told {
                let own = entry.by == By::Node(answer.node);
                let until = if own { told } else { told + self.bound };
                shown_until = Some(shown_until.map_or(until, |earlier| earlier.min(until)));
            }
            ended = entry.told;
        }
        if spans.is_empty() {
            return Err(Wrong::Unknown { row, value: value.to_owned() });
        }
        Ok(spans)
    }
}

/// The moments that lie in both.
fn common(left: &[Span], right: &[Span]) -> Vec<Span> {
    let both = |a: Option<Instant>, b: Option<Instant>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
    let spans = pairs.map(|(a, b)| (a.0.max(b.0), both(a.1, b.1)));
    spans.filter(|(begin, end)| end.is_none_or(|end| *begin <= end)).collect()
}

#[test]
fn the_judge_tells_right_from_wrong() {
    // Moments are told, not waited for: how long the test takes says nothing.
    let (bound, pause) = (Duration::from_secs(4_000), Duration::from_secs(1_500));
    let text = |value: &str| value.to_owned();
    let history = History::new(&[text("a1"), text("b1")], bound);
    let answer = |node: usize, asked: Instant, values: [&str; 2]| {
        let (answered, values) = (asked.max(Instant::now()), values.map(text).to_vec());
        history.judge(&Answer { node, asked, answered, values })
    };
    let now = Instant::now();
    assert_eq!(answer(0, now, ["a1", "b1"]), Ok(()));
    history.begin(0, text("a2"), By::Node(0));
    // While it is written either may be seen.
    assert_eq!(answer(0, now, ["a1", "b1"]), Ok(()));
    assert_eq!(answer(0, now, ["a2", "b1"]), Ok(()));
    history.told(0);
    let now = Instant::now() + pause;
    let stale = |answer: Result<(), Wrong>| matches!(answer, Err(Wrong::Stale { row: 0, .. }));
    assert!(stale(answer(0, now, ["a1", "b1"])), "the node that has written must show it");
    assert_eq!(answer(1, now, ["a1", "b1"]), Ok(()), "another one may wait");
    let later = now + bound;
    assert!(stale(answer(1, later, ["a1", "b1"])), "but not for so long");
    assert_eq!(answer(1, later, ["a2", "b1"]), Ok(()));
    assert!(matches!(answer(1, now, ["a2", "b7"]), Err(Wrong::Unknown { row: 1, .. })));
    // The first row's third value was over before the second row had its second one.
    for (row, value) in [(0, "a3"), (0, "a4"), (1, "b2")] {
        history.begin(row, text(value), By::Outside);
        history.told(row);
        std::thread::sleep(Duration::from_millis(2));
    }
    let now = Instant::now();
    assert!(matches!(answer(1, now, ["a3", "b2"]), Err(Wrong::Torn { .. })));
    assert_eq!(answer(1, now, ["a3", "b1"]), Ok(()));
    assert_eq!(answer(1, now, ["a4", "b2"]), Ok(()));
}
