//! Tickets on paper: one a page, with the code where a camera finds it.

use super::qr::Qr;
use super::queries::{Shown, TicketState};
use crate::platform::paper::layout::{MARGIN, Page, Rule, Text, WIDTH, width, wrapped};
use crate::platform::paper::{made, pdf};
use crate::platform::problem::Problem;

const ROOM: f32 = WIDTH - 2.0 * MARGIN;
/// The side of the code's picture: nine centimetres, its light edge included.
const CODE_SIDE: f32 = 255.0;
const CODE_TOP: f32 = 400.0;
const FOOT: f32 = 780.0;
/// Longer titles and venues are cut.
const TITLE_LINES_MAX: usize = 5;
const VENUE_LINES_MAX: usize = 4;

/// The tickets that were not given back, as PDF.
///
/// # Errors
/// 500: a defect.
pub(super) async fn tickets(
    shop_name: String,
    order_number: String,
    tickets: Vec<Shown>,
) -> Result<Vec<u8>, Problem> {
    made(move || {
        let kept = tickets.iter().filter(|shown| shown.state != TicketState::Returned);
        let pages: Vec<Page> = kept.map(|shown| page(&shop_name, &order_number, shown)).collect();
        pdf(&format!("Tickets of order {order_number}"), &pages)
    })
    .await
}

/// Lines below each other.
struct Column {
    page: Page,
    y: f32,
}

impl Column {
    fn put(&mut self, text: &str, size: f32, lines_max: usize) {
        let mut lines = wrapped(text, size, ROOM);
        if lines.len() > lines_max {
            lines.truncate(lines_max);
            if let Some(last) = lines.last_mut() {
                last.pop();
                last.push('…');
            }
        }
        for text in lines.into_iter().filter(|line| !line.is_empty()) {
            self.y += size * 1.3;
            self.page.texts.push(Text { x: MARGIN, y: self.y, size, text });
        }
    }

    fn put_in_the_middle(&mut self, text: String, size: f32, y: f32) {
        let x = (WIDTH - width(&text, size)) / 2.0;
        self.page.texts.push(Text { x, y, size, text });
    }
}

fn page(shop_name: &str, order_number: &str, shown: &Shown) -> Page {
    let doorway = &shown.doorway;
    let mut column = Column { page: Page::default(), y: MARGIN };
    column.put(shop_name, 11.0, 1);
    column.y += 14.0;
    column.put(&doorway.title, 24.0, TITLE_LINES_MAX);
    column.y += 8.0;
    column.put(&doorway.when(), 13.0, 2);
    column.put(&doorway.venue, 13.0, VENUE_LINES_MAX);
    column.y += 10.0;
    column.put(&shown.kind(), 13.0, 2);
    column.page.rules.push(Rule { x: MARGIN, y: CODE_TOP - 12.0, width: ROOM });
    let corner = ((WIDTH - CODE_SIDE) / 2.0, CODE_TOP);
    column.page.blocks = Qr::of(&shown.code).blocks(corner, CODE_SIDE);
    column.put_in_the_middle(shown.code.to_string(), 15.0, CODE_TOP + CODE_SIDE + 16.0);
    let hint = "Show this at the door, on paper or on your phone. It admits one person, once.";
    column.put_in_the_middle(hint.to_owned(), 9.0, CODE_TOP + CODE_SIDE + 40.0);
    if let Some(word) = shown.word() {
        column.put_in_the_middle(word.to_owned(), 13.0, CODE_TOP + CODE_SIDE + 64.0);
    }
    let foot = format!("Order {order_number}, line {}", shown.ticket.line_no);
    column.page.texts.push(Text { x: MARGIN, y: FOOT, size: 9.0, text: foot });
    column.page
}
