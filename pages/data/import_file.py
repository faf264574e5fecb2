"""A file's way in: what it is, which column is what, what every row would become, the import, its result."""

from crm.ui import empty, import_report, import_steps, uploads
from crm.ui.widgets import page_header, show_error

page_header(
    "Import", "Bring in orders, contacts or responses from a file; nothing is written before you say so."
)
upload = uploads.current()
if upload is not None:
    import_steps.finish(upload)
run = upload.run if upload is not None else None
if upload is not None and run is not None and not run.over.is_set():
    import_steps.follow(upload, run)
elif not import_steps.result():
    upload = uploads.current()
    import_steps.choose_file(upload)
    if run is not None and run.error is not None:
        show_error(run.error)
    if upload is None:
        import_report.sample_shop(empty.load_sample)
    else:
        kind = import_steps.what_it_is(upload)
        chosen = import_steps.which_column(upload, kind)
        found = import_steps.check(upload, chosen)
        if found is not None:
            import_steps.start(upload, *found)
