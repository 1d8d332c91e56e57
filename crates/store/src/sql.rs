//! Statements: static text, one for both engines wherever it can be, with its parameters.
//!
//! Text is lower case with `$1` placeholders. SQLite would take `$1` for a *name*, numbered by
//! first appearance, and misbind silently; so `$N` becomes `?N` for SQLite, at compile time.

use crate::Value;

/// A statement's text for both engines. Made by [`statements!`](crate::statements).
#[derive(Debug)]
pub struct Sql {
    /// The constant's name, for errors and metrics.
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
    /// PostgreSQL plans it anew for each call. It keeps a plan otherwise, for the sizes that the
    /// tables had when the plan was made; and of a queue, which is empty in one moment and full in
    /// the next, that plan may read the whole table for every row.
    pub replan: bool,
}

/// Turns `$N` into `?N`. The length stays, so that it can run at compile time; `N` must be the
/// text's length.
///
/// It knows nothing of quotes: a `$1` inside a string literal of the statement becomes `?1` too.
/// Such text is bound as a value, like any other.
pub const fn numbered<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        let placeholder = bytes[at] == b'$' && at + 1 < N && bytes[at + 1].is_ascii_digit();
        out[at] = if placeholder { b'?' } else { bytes[at] };
        at += 1;
    }
    out
}

/// Declares a module's statements and its `STATEMENTS` list, which the registry test prepares on
/// both engines.
///
/// ```
/// runout_store::statements! {
///     /// One text for both engines.
///     NAMES = "select name from location where id = $1";
///     /// Two texts, where the engines differ.
///     SOME = {
///         sqlite: "select id from location where id in (select value from json_each($1))",
///         postgres: "select id from location where id = any($1)",
///     };
///     /// Planned anew for each call, see [`Sql::replan`](runout_store::Sql::replan).
///     OLDEST = { replan, both: "select id from delivery where destination_id = $1 limit 1" };
/// }
/// assert_eq!(NAMES.sqlite, "select name from location where id = ?1");
/// assert!(OLDEST.replan && !SOME.replan);
/// assert_eq!(STATEMENTS.len(), 3);
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $text:tt;)*) => {
        $($(#[$meta])* pub(crate) static $name: $crate::Sql = $crate::sql_text!($name, $text);)*
        /// Every statement of this module, for the registry.
        pub(crate) static STATEMENTS: &[&$crate::Sql] = &[$(&$name),*];
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! sql_text {
    ($name:ident, { replan, $($texts:tt)+ }) => {
        $crate::Sql { replan: true, ..$crate::sql_text!($name, { $($texts)+ }) }
    };
    ($name:ident, { sqlite: $sqlite:literal, postgres: $postgres:literal $(,)? }) => {
        $crate::Sql {
            name: stringify!($name),
            sqlite: $crate::sql_numbered!($sqlite),
            postgres: $postgres,
            replan: false,
        }
    };
    ($name:ident, { both: $text:literal $(,)? }) => {
        $crate::sql_text!($name, $text)
    };
    ($name:ident, $text:literal) => {
        $crate::sql_text!($name, { sqlite: $text, postgres: $text })
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! sql_numbered {
    ($text:literal) => {{
        const TEXT: &str = $text;
        const BYTES: [u8; TEXT.len()] = $crate::numbered(TEXT);
        match ::core::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("replacing one ASCII byte by another keeps UTF-8"),
        }
    }};
}

/// A statement with its parameters, ready to run: a value, so that a transaction can be one too.
#[derive(Debug)]
pub struct Statement {
    pub(crate) text: Text,
    pub(crate) params: Params,
    pub(crate) heavy: bool,
}

#[derive(Debug)]
pub(crate) enum Text {
    Static(&'static Sql),
    Composed { sqlite: String, postgres: String },
}

#[derive(Debug)]
pub(crate) enum Params {
    /// One value per placeholder.
    One(Vec<Value>),
    /// One column of values per placeholder, all of one length: SQLite runs the statement once per
    /// row, PostgreSQL once with arrays (`unnest`).
    Rows(Vec<Vec<Value>>),
}

impl Statement {
    pub fn new(sql: &'static Sql, params: Vec<Value>) -> Self {
        Self { text: Text::Static(sql), params: Params::One(params), heavy: false }
    }

    /// A bulk write: `columns[i]` holds placeholder `$i+1` of every row.
    ///
    /// # Panics
    /// When the columns differ in length.
    pub fn bulk(sql: &'static Sql, columns: Vec<Vec<Value>>) -> Self {
        let rows = columns.first().map_or(0, Vec::len);
        assert!(columns.iter().all(|column| column.len() == rows), "{}: ragged columns", sql.name);
        Self { text: Text::Static(sql), params: Params::Rows(columns), heavy: false }
    }

    /// Marks a read that may take long (scans, reports), so that it leaves the async threads free.
    /// A snapshot with such a read may take up to an hour, and sorts in files.
    #[must_use]
    pub fn heavy(mut self) -> Self {
        self.heavy = true;
        self
    }

    pub(crate) fn sqlite(&self) -> &str {
        match &self.text {
            Text::Static(sql) => sql.sqlite,
            Text::Composed { sqlite, .. } => sqlite,
        }
    }

    pub(crate) fn postgres(&self) -> &str {
        match &self.text {
            Text::Static(sql) => sql.postgres,
            Text::Composed { postgres, .. } => postgres,
        }
    }

    /// See [`Sql::replan`].
    pub(crate) fn replans(&self) -> bool {
        matches!(&self.text, Text::Static(sql) if sql.replan)
    }

    pub(crate) fn name(&self) -> &'static str {
        match &self.text {
            Text::Static(sql) => sql.name,
            Text::Composed { .. } => "composed",
        }
    }

    /// True for a bulk write without rows, which need not run at all.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.params, Params::Rows(columns) if columns.first().is_none_or(Vec::is_empty))
    }
}

/// Composes a statement from static fragments and bound values: nothing a client sent can become
/// SQL text, because only `&'static str` is taken.
///
/// ```
/// use runout_store::Composer;
/// let mut sql = Composer::new("select id from product where enabled");
/// sql.push(" and artist = ").bind("Hohpe").push(" limit ").bind(20i64);
/// let _statement = sql.finish();
/// ```
#[derive(Debug)]
pub struct Composer {
    sqlite: String,
    postgres: String,
    params: Vec<Value>,
}

impl Composer {
    pub fn new(text: &'static str) -> Self {
        let mut composer = Self {
            sqlite: String::with_capacity(512),
            postgres: String::with_capacity(512),
            params: Vec::new(),
        };
        composer.push(text);
        composer
    }

    /// Adds text that is the same on both engines and has no placeholders.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.push_each(text, text)
    }

    /// Adds text that differs by engine and has no placeholders.
    pub fn push_each(&mut self, sqlite: &'static str, postgres: &'static str) -> &mut Self {
        debug_assert!(!sqlite.contains('$') && !postgres.contains('$'), "bind values with bind()");
        self.sqlite.push_str(sqlite);
        self.postgres.push_str(postgres);
        self
    }

    /// Adds the next placeholder and its value.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.params.push(value.into());
        let number = self.params.len().to_string();
        self.sqlite.push('?');
        self.sqlite.push_str(&number);
        self.postgres.push('$');
        self.postgres.push_str(&number);
        self
    }

    pub fn finish(self) -> Statement {
        Statement {
            text: Text::Composed { sqlite: self.sqlite, postgres: self.postgres },
            params: Params::One(self.params),
            heavy: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    /// Texts are padded to this length: [`numbered`] takes it at compile time.
    const LENGTH: usize = 1_024;

    fn for_sqlite(text: &str) -> String {
        assert!(text.len() <= LENGTH, "the padding suffices");
        let bytes = numbered::<LENGTH>(&format!("{text:LENGTH$}"));
        String::from_utf8(bytes.to_vec()).expect("UTF-8 stays UTF-8").trim_end().to_owned()
    }

    /// The row of a statement whose columns are all integers.
    fn row(sql: &str, params: &[Value]) -> Vec<i64> {
        let connection = Connection::open_in_memory().expect("memory");
        let mut statement = connection.prepare(sql).expect("a statement");
        let columns = statement.column_count();
        statement
            .query_row(rusqlite::params_from_iter(params), |row| {
                (0..columns).map(|column| row.get(column)).collect()
            })
            .expect("one row")
    }

    #[test]
    fn only_placeholders_change() {
        for (text, expected) in [
            ("select $1", "select ?1"),
            ("select $12, $1", "select ?12, ?1"),
            ("select $1$2", "select ?1?2"),
            ("select '$'", "select '$'"),
            ("select $", "select $"),
            ("select $name, $é", "select $name, $é"),
            ("select '€ $9'", "select '€ ?9'"),
            ("", ""),
        ] {
            assert_eq!(for_sqlite(text), expected);
        }
    }

    proptest! {
        /// Whatever the order and however often: `$N` is the N-th value. (As `$N`, SQLite would
        /// number them by first appearance.)
        #[test]
        fn numbered_placeholders_never_misbind(
            order in prop::collection::vec(1..=40_usize, 1..30),
            before in prop::sample::select(vec!["", "-1 + ", "0 * length('é€') + "]),
        ) {
            let columns: Vec<String> = order.iter().map(|n| format!("{before}${n}")).collect();
            let highest = order.iter().copied().max().unwrap_or(0);
            let params: Vec<Value> = (1..=highest as i64).map(|n| Value::Int(n * 100)).collect();
            let sql = for_sqlite(&format!("select {}", columns.join(", ")));
            let shift = if before.starts_with('-') { 1 } else { 0 };
            let expected: Vec<i64> = order.iter().map(|n| *n as i64 * 100 - shift).collect();
            prop_assert_eq!(row(&sql, &params), expected);
        }

        #[test]
        fn nothing_but_placeholders_is_touched(text in "[ -~é€$]{0,120}") {
            let after = for_sqlite(&text);
            let before = text.trim_end();
            prop_assert_eq!(after.len(), before.len());
            let mut rest = before.bytes().zip(after.bytes()).peekable();
            while let Some((before, after)) = rest.next() {
                let digit_follows = rest.peek().is_some_and(|(next, _)| next.is_ascii_digit());
                let wanted = if before == b'$' && digit_follows { b'?' } else { before };
                prop_assert_eq!(after, wanted);
            }
        }

        #[test]
        fn composed_values_stand_where_they_were_bound(
            values in prop::collection::vec(any::<i64>(), 1..120),
        ) {
            let mut composer = Composer::new("select ");
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    composer.push_each(" , ", ", ");
                }
                composer.bind(*value);
            }
            let statement = composer.finish();
            let Params::One(params) = &statement.params else { panic!("composed rows") };
            prop_assert_eq!(row(statement.sqlite(), params), values.clone());
            let numbers: Vec<String> = (1..=values.len()).map(|n| format!("${n}")).collect();
            prop_assert_eq!(statement.postgres(), format!("select {}", numbers.join(", ")));
        }

        /// No client's text reaches the statement.
        #[test]
        fn bound_text_never_becomes_sql(text in "\\PC{1,40}") {
            let mut composer = Composer::new("select 1 where 'x' = ");
            composer.bind(text.as_str());
            let statement = composer.finish();
            prop_assert_eq!(statement.sqlite(), "select 1 where 'x' = ?1");
            prop_assert_eq!(statement.postgres(), "select 1 where 'x' = $1");
        }
    }
}
