"""A file's way in: how it was read, which column is what, what every row would become, the import, its result."""

from crm.ui import empty, import_report, import_steps, uploads, work
from crm.ui.widgets import page_header

page_header(
    "Import", "Bring in orders, contacts or responses from a file; nothing is written before you say so."
)
waiting = uploads.waiting()
upload = waiting.upload if waiting is not None else None
if upload is not None:
    import_steps.finish(upload)
run = upload.run if upload is not None else None
if run is not None and not run.over:
    import_steps.follow(run)
elif not import_steps.result():
    work.others(key="others")
    waiting = uploads.waiting()
    upload = waiting.upload if waiting is not None else None
    import_steps.choose_file(waiting)
    if run is not None:
        import_steps.failed(run)
    if waiting is None:
        import_report.sample_shop(empty.load_sample)
    elif upload is not None and import_steps.how_it_was_read(waiting, upload):
        chosen = import_steps.which_column(upload)
        found = import_steps.check(upload, chosen)
        if found is not None:
            import_steps.start(upload, found)
