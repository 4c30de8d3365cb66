"""Faults in what clients are told: doubled, lost, too late, to the wrong address, or told by a rebuild."""

from typing import Final

from tests.mutants import Mutant

CLAIM: Final = "runs/remind.py"
SENDING: Final = "producers/mail/sending.py"
NOTICES: Final = "domain/reminders.py"

MUTANTS: Final = (
    Mutant(
        name="mail: the Message-ID is random",
        file=NOTICES,
        old="""return f"<{stream_id('notice', client_id, notice_id)}@{host}>\"""",
        new="""return f"<{__import__('uuid').uuid4()}@{host}>\"""",
        test="tests/domain/test_reminders.py::test_message_id_is_the_same_on_every_try_and_of_one_client_only",
    ),
    Mutant(
        name="mail: each try has a Message-ID of its own",
        file=SENDING,
        old="message_id=notice.message_id,",
        new='message_id=notice.message_id.replace("@", f"-{notice.tries}@"),',
        test="tests/producers/test_mail.py::test_greylisting_is_waited_out_under_the_same_message_id",
    ),
    Mutant(
        name="mail: a claim made again has another Message-ID",
        file=CLAIM,
        old="message_id=said,",
        new='message_id=said.replace("@", f"-{version}@"),',
        test=(
            "tests/runs/test_reminders_attacked.py::test_paused_reminder_is_claimed_again_under_the_same_message_id_and_sent_once"
        ),
    ),
    Mutant(
        name="mail: sent before the intent is in the book",
        file=CLAIM,
        old="book.append([_new(event, before) for event in events], conn=connection, also=also)",
        new="decisions.apply(connection.cursor(), enumerate(events, came_to + 1))",
        test=("tests/producers/test_mail_ahead.py::test_claim_stands_in_the_book_before_its_mail_and_the_result_only_after_it"),
    ),
    Mutant(
        name="mail: recorded as sent before it is handed over",
        file=SENDING,
        old="    made, outcome = _tried(desk, notice, now, before)\n    for _ in",
        new=(
            "    _record(desk.book, notice, version, _event(desk.book, notice, _Made(Sent()), Sent(), before, now), Counts())\n"
            "    made, outcome = _tried(desk, notice, now, before)\n    for _ in"
        ),
        test=("tests/producers/test_mail_ahead.py::test_claim_stands_in_the_book_before_its_mail_and_the_result_only_after_it"),
    ),
    Mutant(
        name="mail: a rebuild sends what is due",
        file="daybook/cli/operation.py",
        old="            position = found.views.rebuild(view or (), progress=advance)\n",
        new=(
            "            position = found.views.rebuild(view or (), progress=advance)\n"
            '            __import__("daybook.reminding").reminding.once(found)\n'
        ),
        test="tests/runs/test_remind_command.py::test_command_that_rebuilds_or_verifies_sends_nothing_that_is_due[command0]",
    ),
    Mutant(
        name="mail: what was sent is due again after a rebuild",
        file="projections/notices.py",
        old="moved = (SENT, event.tries, False, None)",
        new="moved = (CLAIMED if cursor.connection.autocommit else SENT, event.tries, False, None)",
        test="tests/producers/test_mail.py::test_rebuild_and_verify_send_nothing_and_change_nothing",
    ),
    Mutant(
        name="mail: a reminder is decided from the views alone",
        file=CLAIM,
        old="            if _behind(cursor, client_ids, came_to, first):\n",
        new="            if False:\n",
        test="tests/runs/test_remind.py::test_claim_from_a_view_that_never_hears_of_the_payment_is_not_made",
    ),
    Mutant(
        name="mail: whether it is still wanted is asked of the page that was read ahead",
        file=CLAIM,
        old="        if not self.fresh(cursor, notice):\n            return still_wanted",
        new="        if False:\n            return still_wanted",
        test="tests/producers/test_mail_ahead.py::test_payment_of_nobody_known_right_before_data_keeps_the_reminder_back",
    ),
    Mutant(
        name="mail: nobody is asked right before the message goes",
        file="producers/mail/transport.py",
        old="        reason = why_not()\n        if reason is not None:\n            return Withheld(reason)\n        code, text",
        new="        code, text",
        test="tests/producers/test_mail.py::test_nothing_is_sent_that_was_paid_meanwhile",
    ),
    Mutant(
        name="mail: it goes to the address that was replaced while the server was asked",
        file=SENDING,
        old="return reason or (MORE_KNOWN if self.question.knows_more(cursor, notice) else None)",
        new="return reason",
        test=(
            "tests/producers/test_mail_ahead.py::test_address_that_changes_right_before_data_gets_nothing_and_the_new_one_does"
        ),
    ),
    Mutant(
        name="mail: two senders have one notice",
        file=SENDING,
        old="yield row is not None and bool(row[0])",
        new="yield True",
        test="tests/producers/test_mail.py::test_several_senders_at_once_send_each_once",
    ),
    Mutant(
        name="mail: what nobody knows of is not sent again",
        file="projections/outbox.py",
        old="state IN ('claimed', 'unknown')",
        new="state IN ('claimed')",
        test="tests/producers/test_mail.py::test_link_lost_after_data_is_unknown_and_sent_again_under_the_same_id",
    ),
    Mutant(
        name="mail: a failure for its address is told by its words",
        file="projections/reminders.py",
        old="    if for_address is None:\n",
        new="    if True:\n",
        test="tests/runs/test_reminders_attacked.py::test_failure_recorded_without_the_field_is_read_by_its_words",
    ),
    Mutant(
        name="mail: an invoice that was not mailed in time is listed nowhere",
        file=NOTICES,
        old="not (is_new or _is_missed(client, bill, day))",
        new="not is_new",
        test="tests/domain/test_reminders.py::test_missed_document_is_listed_until_it_is_paid_and_a_credit_note_for_sixty_days",
    ),
    Mutant(
        name="mail: a missed statement goes out right before the next",
        file=NOTICES,
        old="why_not=(OVERTAKEN if is_next_nearer(client.policy.statement, on, day) else None)\n        or _nobody(client)",
        new="why_not=_nobody(client)",
        test="tests/domain/test_reminders.py::test_missed_statement_waits_for_the_next_one_once_that_is_nearer",
    ),
)
